using System.Collections.Frozen;
using System.Runtime.InteropServices;

namespace Acme.Billing.Books;

internal sealed record Entry(long Id, int Account, decimal Amount, string Text);

internal sealed record Balance(int Account, decimal Amount, Entry[] Latest);

/// <summary>Accounts with their latest entries, made once.</summary>
internal static class Accounts
{
    private static readonly FrozenDictionary<int, Entry[]> Latest = Enumerable.Range(0, 1000)
        .ToFrozenDictionary(account => account, account => Enumerable.Range(0, 15)
            .Select(n => new Entry(account * 100L + n, account, n * 1.5m, $"entry {n} of {account}")).ToArray());

    public static Balance Balance(int account) =>
        Latest.TryGetValue(account, out var entries)
            ? new Balance(account, entries.Sum(entry => entry.Amount), entries)
            : new Balance(account, 0, []);
}

internal static class Statements
{
    private static readonly Dictionary<int, Entry[]> Open = Enumerable.Range(0, 2000)
        .ToDictionary(n => n, n => Enumerable.Range(0, 100).Select(i => new Entry(i, n, i, $"statement {n}/{i}")).ToArray());

    public static object Close(int account)
    {
        decimal sum = Open[account % Open.Count].Sum(entry => entry.Amount);
        MemoryKeeper.Trim();
        return new { account, sum };
    }

    private static class MemoryKeeper
    {
        public static void Trim() => Collect();

        private static void Collect()
        {
            GC.Collect();
            GC.WaitForPendingFinalizers();
        }
    }
}

/// <summary>Replays the ledger into a window that is dropped when it is full: entries live for a second or two.</summary>
internal static class Replay
{
    private const int Window = 600_000;
    [ThreadStatic] private static List<Entry>? s_window;

    public static object Run(int account)
    {
        var window = s_window ??= new List<Entry>(Window);
        if (window.Count > Window / 4) window.Clear();
        Append(window, account, 4000);
        return new { account, window.Count };
    }

    private static void Append(List<Entry> window, int account, int count)
    {
        for (int n = 0; n < count; n++) window.Add(new Entry(n, account, n * 0.1m, string.Concat("replayed ", n.ToString())));
    }
}

internal static class Transfers
{
    private sealed class Account(int number) { public int Number => number; public decimal Amount; }

    private static readonly Account[] All = Enumerable.Range(0, 2).Select(number => new Account(number)).ToArray();

    /// <summary>Locks the payer, then the payee.</summary>
    public static object Move(int number)
    {
        var (from, to) = number % 2 == 0 ? (All[0], All[1]) : (All[1], All[0]);
        lock (from)
        {
            Check(from);
            lock (to) Book(from, to, 1);
        }
        return new { number };
    }

    private static void Check(Account account) => Thread.Sleep(account.Amount < 1_000_000 ? 20 : 0);

    private static void Book(Account from, Account to, decimal amount)
    {
        from.Amount -= amount;
        to.Amount += amount;
    }
}

/// <summary>Card terminals: frames that a native library reads while they are answered.</summary>
internal static class TerminalLink
{
    private static readonly Queue<(GCHandle Handle, byte[] Frame)> InFlight = new();

    private static readonly byte[][] Envelopes = new byte[64][];

    public static object Exchange(int terminal)
    {
        int sent = 0;
        for (int n = 0; n < 60; n++) sent += Send(terminal, n);
        return new { terminal, sent };
    }

    private static int Send(int terminal, int number)
    {
        var frame = new byte[1500];
        frame[0] = (byte)terminal;
        Envelopes[number % Envelopes.Length] = Wrap(frame);
        Hand(frame);
        return number;
    }

    private static byte[] Wrap(byte[] frame)
    {
        var envelope = new byte[6000];
        for (int copy = 0; copy < 4; copy++) frame.CopyTo(envelope, copy * frame.Length);
        return envelope;
    }

    private static void Hand(byte[] frame)
    {
        lock (InFlight)
        {
            InFlight.Enqueue((GCHandle.Alloc(frame, GCHandleType.Pinned), frame));
            while (InFlight.Count > 4000) InFlight.Dequeue().Handle.Free();
        }
    }
}
