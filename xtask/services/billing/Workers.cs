using System.Collections.Concurrent;
using Acme.Billing.Security;

namespace Acme.Billing.Workers;

/// <summary>Looks for overdue accounts twice per second, as an asynchronous stream.</summary>
internal sealed class DunningWorker : BackgroundService
{
    protected override async Task ExecuteAsync(CancellationToken stop)
    {
        await foreach (int account in OverdueAsync(stop)) AccountFeed.Announce(account);
    }

    private static async IAsyncEnumerable<int> OverdueAsync([System.Runtime.CompilerServices.EnumeratorCancellation] CancellationToken stop)
    {
        using var clock = new PeriodicTimer(TimeSpan.FromMilliseconds(500));
        for (int round = 0; await clock.WaitForNextTickAsync(stop); round++) yield return round % 1000;
    }
}

/// <summary>Collects payments from an inbox.</summary>
internal sealed class InboxWorker : IHostedService
{
    private static readonly ConcurrentQueue<int> Inbox = new();
    private volatile bool _stopped;
    private long _booked;

    public Task StartAsync(CancellationToken cancel)
    {
        new Thread(Collect) { IsBackground = true, Name = "inbox" }.Start();
        return Task.CompletedTask;
    }

    public Task StopAsync(CancellationToken cancel)
    {
        _stopped = true;
        return Task.CompletedTask;
    }

    private void Collect()
    {
        while (!_stopped) DrainInbox();
    }

    private void DrainInbox()
    {
        while (Inbox.TryDequeue(out int payment)) _booked += payment;
    }
}
