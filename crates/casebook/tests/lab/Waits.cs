// Threads that wait in each primitive of the runtime, one method per primitive. The test `waits` checks what is recorded.
using System.Collections.Concurrent;
using System.Diagnostics;
using System.IO.Pipes;
using System.Net;
using System.Net.Sockets;
using System.Runtime.CompilerServices;
using System.Threading.Channels;

static class Program
{
    const MethodImplOptions Here = MethodImplOptions.NoInlining;

    static void Run(Action wait) { var t = new Thread(() => { try { wait(); } catch (Exception e) { Console.Error.WriteLine($"{wait.Method.Name}: {e.GetType().Name} {e.Message}"); } }) { IsBackground = true }; t.Start(); }
    static void Hold(Action hold) { var done = new ManualResetEventSlim(); new Thread(() => { hold(); done.Set(); Holder(); }) { IsBackground = true }.Start(); done.Wait(); }
    [MethodImpl(Here)] static void Holder() => Thread.Sleep(Timeout.Infinite);

    static readonly object MonitorObject = new(), SignalObject = new(), TryObject = new(), LazyInit = new();
    static readonly Lock LockObject = new();
    static readonly ReaderWriterLockSlim Slim = new(), SlimHeldByReader = new();
    static readonly ReaderWriterLock Old = new();
    static SpinLock Spin = new(false);
    static volatile bool Flag;
    static readonly Barrier TheBarrier = new(2);
    static readonly CountdownEvent Countdown = new(1);
    static readonly ManualResetEventSlim MresSlim = new();
    static readonly ManualResetEvent Mre = new(false);
    static readonly AutoResetEvent Are = new(false);
    static readonly EventWaitHandle Ewh = new(false, EventResetMode.AutoReset);
    static readonly Mutex TheMutex = new();
    static readonly Semaphore TheSemaphore = new(0, 1);
    static readonly SemaphoreSlim SemSlim = new(0);
    static readonly BlockingCollection<int> Empty = new(), Full = new(1) { 1 };
    static readonly Channel<int> Chan = Channel.CreateUnbounded<int>(), FullChan = Channel.CreateBounded<int>(1);
    static readonly TaskCompletionSource<int> Never = new();
    static readonly Lazy<int> Slow = new(() => { SlowFactory(); return 1; });
    static object? Ensured; static bool EnsuredDone; static object? EnsuredLock;
    [MethodImpl(Here)] static void SlowFactory() => Thread.Sleep(Timeout.Infinite);
    static class Typed { public static readonly int Value; static Typed() { SlowFactory(); Value = 1; } }

    [MethodImpl(Here)] static void W_MonitorEnter() { lock (MonitorObject) { } }
    [MethodImpl(Here)] static void W_MonitorTryEnter() { Monitor.TryEnter(TryObject, 600000); }
    [MethodImpl(Here)] static void W_LockEnter() { LockObject.Enter(); }
    [MethodImpl(Here)] static void W_MonitorWait() { lock (SignalObject) Monitor.Wait(SignalObject); }
    [MethodImpl(Here)] static void W_RwlsRead() { Slim.EnterReadLock(); }
    [MethodImpl(Here)] static void W_RwlsUpgradeable() { Slim.EnterUpgradeableReadLock(); }
    [MethodImpl(Here)] static void W_RwlsWrite() { Slim.EnterWriteLock(); }
    [MethodImpl(Here)] static void W_RwlsWriteBehindReader() { SlimHeldByReader.TryEnterWriteLock(600000); }
    [MethodImpl(Here)] static void W_RwlReader() { Old.AcquireReaderLock(-1); }
    [MethodImpl(Here)] static void W_RwlWriter() { Old.AcquireWriterLock(-1); }
    [MethodImpl(Here)] static void W_SpinLock() { bool taken = false; Spin.Enter(ref taken); }
    [MethodImpl(Here)] static void W_SpinUntil() { SpinWait.SpinUntil(() => Flag); }
    [MethodImpl(Here)] static void W_Barrier() { TheBarrier.SignalAndWait(); }
    [MethodImpl(Here)] static void W_Countdown() { Countdown.Wait(); }
    [MethodImpl(Here)] static void W_Mres() { MresSlim.Wait(); }
    [MethodImpl(Here)] static void W_Mre() { Mre.WaitOne(); }
    [MethodImpl(Here)] static void W_Ewh() { Ewh.WaitOne(); }
    [MethodImpl(Here)] static void W_Mutex() { TheMutex.WaitOne(); }
    [MethodImpl(Here)] static void W_Semaphore() { TheSemaphore.WaitOne(); }
    [MethodImpl(Here)] static void W_WaitAny() { WaitHandle.WaitAny(new WaitHandle[] { Mre, Are }); }
    [MethodImpl(Here)] static void W_WaitAll() { WaitHandle.WaitAll(new WaitHandle[] { Mre, Are }); }
    [MethodImpl(Here)] static void W_SignalAndWait()
    {
        WaitHandle.SignalAndWait(new AutoResetEvent(false), Mre);
    }
    [MethodImpl(Here)] static void W_SemaphoreSlim() { SemSlim.Wait(); }
    [MethodImpl(Here)] static void W_BcTake() { Empty.Take(); }
    [MethodImpl(Here)] static void W_BcTakeAny()
    {
        BlockingCollection<int>.TakeFromAny(new[] { Empty, Empty }, out _);
    }
    [MethodImpl(Here)] static void W_BcAdd() { Full.Add(2); }
    [MethodImpl(Here)] static void W_ChannelRead() { Chan.Reader.ReadAsync().AsTask().Wait(); }
    [MethodImpl(Here)] static void W_ChannelWaitToRead()
    {
        Chan.Reader.WaitToReadAsync().AsTask().GetAwaiter().GetResult();
    }
    [MethodImpl(Here)] static void W_ChannelWrite() { FullChan.Writer.WriteAsync(1).AsTask().Wait(); }
    [MethodImpl(Here)] static void W_TaskWait() { Never.Task.Wait(); }
    [MethodImpl(Here)] static int W_TaskResult() { return Never.Task.Result; }
    [MethodImpl(Here)] static int W_TaskGetResult() { return Never.Task.GetAwaiter().GetResult(); }
    [MethodImpl(Here)] static void W_TaskWaitAll() { Task.WaitAll(Never.Task, Never.Task); }
    [MethodImpl(Here)] static void W_TaskWaitAny() { Task.WaitAny(Never.Task, Never.Task); }
    [MethodImpl(Here)] static void W_Join() { Sleeper.Join(); }
    static Thread Sleeper = null!;
    [MethodImpl(Here)] static void W_Sleep() { Thread.Sleep(600000); }
    [MethodImpl(Here)] static void W_ParallelFor()
    {
        Parallel.For(0, 2, new ParallelOptions { MaxDegreeOfParallelism = 2 }, i => ParallelPart());
    }
    [MethodImpl(Here)] static void W_ParallelInvoke() { Parallel.Invoke(ParallelPart, ParallelPart); }
    // The caller leaves time for a worker to take the other part, which never ends.
    static void ParallelPart() { if (Thread.CurrentThread.IsThreadPoolThread) ParallelBody(); else Thread.Sleep(400); }
    [MethodImpl(Here)] static void ParallelBody() => Thread.Sleep(Timeout.Infinite);
    [MethodImpl(Here)] static void W_Lazy() { _ = Slow.Value; }
    [MethodImpl(Here)] static void HoldLazyInit()
    {
        LazyInitializer.EnsureInitialized(ref Ensured, ref EnsuredDone, ref EnsuredLock, () => { SlowFactory(); return new object(); });
    }
    [MethodImpl(Here)] static void W_LazyInit()
    {
        LazyInitializer.EnsureInitialized(ref Ensured, ref EnsuredDone, ref EnsuredLock, () => { SlowFactory(); return new object(); });
    }
    [MethodImpl(Here)] static void W_Cctor() { _ = Typed.Value; }
    [MethodImpl(Here)] static void W_ConsoleRead() { Console.ReadLine(); }
    static string Fifo = "", Fifo2 = "";
    [MethodImpl(Here)] static void W_FileOpenFifo() { File.OpenRead(Fifo).ReadByte(); }
    [MethodImpl(Here)] static void W_FileReadFifo()
    {
        using var f = new FileStream(Fifo2, FileMode.Open, FileAccess.ReadWrite); f.ReadByte();
    }
    [MethodImpl(Here)] static void W_AnonymousPipe()
    {
        var server = new AnonymousPipeServerStream(PipeDirection.Out); var client = new AnonymousPipeClientStream(PipeDirection.In, server.ClientSafePipeHandle);
        client.ReadByte(); GC.KeepAlive(server);
    }
    [MethodImpl(Here)] static void W_NamedPipeConnect()
    {
        new NamedPipeServerStream("cbw" + Environment.ProcessId).WaitForConnection();
    }
    static TcpListener Listener = null!, Silent = null!; static int Port;
    [MethodImpl(Here)] static void W_SocketAccept() { Silent.AcceptSocket(); }
    [MethodImpl(Here)] static void W_SocketReceive()
    {
        var c = new TcpClient("127.0.0.1", Port);
        c.Client.Receive(new byte[8]);
    }
    [MethodImpl(Here)] static void W_SocketPoll()
    {
        var c = new TcpClient("127.0.0.1", Port);
        c.Client.Poll(-1, SelectMode.SelectRead);
    }
    [MethodImpl(Here)] static void W_SocketSelect()
    {
        var c = new TcpClient("127.0.0.1", Port); Socket.Select(new List<Socket> { c.Client }, null, null, 600000000);
    }
    [MethodImpl(Here)] static void W_Udp()
    {
        var u = new UdpClient(new IPEndPoint(IPAddress.Loopback, 0));
        IPEndPoint? e = null;
        u.Receive(ref e);
    }
    [MethodImpl(Here)] static void W_ProcessWait() { Child().WaitForExit(); }
    [MethodImpl(Here)] static void W_ProcessOutput() { Child().StandardOutput.ReadToEnd(); }
    static Process Child() { var p = Process.Start(new ProcessStartInfo("sleep", "20") { RedirectStandardOutput = true })!; return p; }
    [MethodImpl(Here)] static void W_Finalizers() { MakeBad(); GC.Collect(); GC.WaitForPendingFinalizers(); }
    [MethodImpl(Here)] static void MakeBad() { new Bad(); }
    class Bad { ~Bad() { BlockedFinalizer(); } }
    [MethodImpl(Here)] static void BlockedFinalizer() => Thread.Sleep(Timeout.Infinite);

    static void Main(string[] args)
    {
        ThreadPool.SetMinThreads(40, 10);
        var dir = args[0];
        Fifo = dir + "/f1"; Fifo2 = dir + "/f2";
        foreach (var f in new[] { Fifo, Fifo2 }) Process.Start("mkfifo", f)!.WaitForExit();
        Listener = new TcpListener(IPAddress.Loopback, 0); Listener.Start(); Port = ((IPEndPoint)Listener.LocalEndpoint).Port;
        Silent = new TcpListener(IPAddress.Loopback, 0); Silent.Start();
        Sleeper = new Thread(() => Holder()) { IsBackground = true }; Sleeper.Start();
        FullChan.Writer.TryWrite(0);
        Hold(() => Monitor.Enter(MonitorObject)); Hold(() => Monitor.Enter(TryObject));
        Hold(() => LockObject.Enter());
        Hold(() => Slim.EnterWriteLock()); Hold(() => SlimHeldByReader.EnterReadLock()); Hold(() => Old.AcquireWriterLock(-1));
        Hold(() => { bool t = false; Spin.Enter(ref t); }); Hold(() => TheMutex.WaitOne());
        new Thread(() => { _ = Slow.Value; }) { IsBackground = true }.Start();
        new Thread(() => { _ = Typed.Value; }) { IsBackground = true }.Start();
        new Thread(HoldLazyInit) { IsBackground = true }.Start();
        Thread.Sleep(200);
        foreach (var m in typeof(Program).GetMethods(System.Reflection.BindingFlags.Static | System.Reflection.BindingFlags.NonPublic))
            if (m.Name.StartsWith("W_"))
                Run(m.ReturnType == typeof(void) ? m.CreateDelegate<Action>() : Wrap(m.CreateDelegate<Func<int>>()));
        Thread.Sleep(1000);
        Console.WriteLine("READY");
        Thread.Sleep(20000);
        Environment.Exit(0);
    }
    static Action Wrap(Func<int> f) => () => f();
}
