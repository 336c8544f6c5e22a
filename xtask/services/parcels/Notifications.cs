using Microsoft.AspNetCore.Mvc;

namespace Parcels.Notifications;

/// <summary>Tells every subscriber of a depot, each by a work item of its own.</summary>
public sealed class NotificationFanout
{
    private const int Subscribers = 3000;

    public Task<int> TellAllAsync(int depot)
    {
        var round = new Round(depot, Subscribers);
        for (int subscriber = 0; subscriber < Subscribers; subscriber++)
            ThreadPool.UnsafeQueueUserWorkItem(new Delivery(round, subscriber), preferLocal: false);
        return round.Done.Task;
    }

    private sealed class Round(int depot, int count)
    {
        private int _left = count;

        public int Depot => depot;
        public TaskCompletionSource<int> Done { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public void Tick()
        {
            if (Interlocked.Decrement(ref _left) == 0) Done.SetResult(count);
        }
    }

    private sealed class Delivery(Round round, int subscriber) : IThreadPoolWorkItem
    {
        public void Execute()
        {
            Sign(round.Depot, subscriber);
            round.Tick();
        }

        private static uint Sign(int depot, int subscriber)
        {
            uint hash = 2166136261;
            for (int i = 0; i < 12_000; i++) hash = (hash ^ (uint)(depot + subscriber + i)) * 16777619;
            return hash;
        }
    }
}

[ApiController, Route("notifications")]
public sealed class NotificationsController(NotificationFanout fanout) : ControllerBase
{
    [HttpGet("{depot:int}/fanout")]
    public async Task<IActionResult> Fanout(int depot) => Ok(new { depot, notified = await fanout.TellAllAsync(depot) });
}
