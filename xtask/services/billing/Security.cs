using System.Security.Cryptography;

namespace Acme.Billing.Security;

/// <summary>Keys are wiped when they are no longer used; the module that does it is slow.</summary>
internal sealed class SessionKey(int account)
{
    private readonly byte[] _key = SHA256.HashData(BitConverter.GetBytes(account));

    public byte First => _key[0];

    ~SessionKey() => Module.Wipe(_key);

    private static class Module
    {
        public static void Wipe(byte[] key)
        {
            for (int pass = 0; pass < 150; pass++) SHA256.HashData(key, key);
        }
    }
}

internal static class Vault
{
    public static object Seal(int account)
    {
        int sum = 0;
        for (int n = 0; n < 12; n++) sum += Derive(account + n);
        return new { account, sum };
    }

    private static int Derive(int account) => new SessionKey(account).First;
}

/// <summary>Every change of an account is announced; whoever watches one stays subscribed.</summary>
internal static class AccountFeed
{
    private static event Action<int>? Changed;

    public static object Watch(int account)
    {
        var view = new AccountView(account);
        lock (typeof(AccountFeed)) Changed += view.OnChanged;
        return new { account, view.Revision };
    }

    public static void Announce(int account) => Changed?.Invoke(account);

    private sealed class AccountView(int account)
    {
        private readonly decimal[] _history = new decimal[1500];

        public int Revision { get; private set; }

        public void OnChanged(int changed)
        {
            if (changed != account) return;
            _history[Revision++ % _history.Length] = changed;
        }
    }
}

/// <summary>Sessions of the back office: bound to a device, and renewed by a timer each.</summary>
internal static class Sessions
{
    public static object Open(int user)
    {
        BindDevice(user);
        var session = new Session(user);
        session.Start();
        return new { user, session.Renewals };
    }

    private static void BindDevice(int user) => Handshake(user % 7);

    private static void Handshake(int round) => Thread.Sleep(18 + round);

    private sealed class Session(int user)
    {
        private readonly byte[] _state = new byte[24_000];
        private Timer? _renewal;

        public int Renewals { get; private set; }

        public void Start() => _renewal = new Timer(_ => Renew(), null, TimeSpan.FromMinutes(10), TimeSpan.FromMinutes(10));

        private void Renew()
        {
            _state[user % _state.Length]++;
            Renewals++;
            _renewal?.Change(TimeSpan.FromMinutes(10), TimeSpan.FromMinutes(10));
        }
    }
}

/// <summary>Who did what, line by line, in a file that is flushed after each.</summary>
internal static class AuditTrail
{
    private static readonly ILoggerFactory Factory = LoggerFactory.Create(logging => logging.AddProvider(new FileProvider()));
    private static readonly ILogger Log = Factory.CreateLogger("Acme.Billing.Audit");

    public static object Record(int user)
    {
        for (int step = 0; step < 80; step++) Note(user, step);
        return new { user };
    }

    private static void Note(int user, int step) =>
        Log.LogInformation("user {User} did step {Step} of the approval of {Amount} at {Time}", user, step, step * 10, DateTime.UtcNow);

    private sealed class FileProvider : ILoggerProvider
    {
        private readonly StreamWriter _file = new(Path.Combine(
            Environment.GetEnvironmentVariable("BILLING_DATA") ?? Path.GetTempPath(), "audit.log"), append: false) { AutoFlush = true };

        public ILogger CreateLogger(string category) => new FileLogger(category, _file);

        public void Dispose() => _file.Dispose();
    }

    private sealed class FileLogger(string category, StreamWriter file) : ILogger
    {
        public IDisposable? BeginScope<TState>(TState state) where TState : notnull => null;

        public bool IsEnabled(LogLevel level) => level >= LogLevel.Information;

        public void Log<TState>(LogLevel level, EventId id, TState state, Exception? error, Func<TState, Exception?, string> format)
        {
            string line = $"{DateTime.UtcNow:O} [{level}] {category}: {format(state, error)}";
            lock (file) file.WriteLine(line);
        }
    }
}
