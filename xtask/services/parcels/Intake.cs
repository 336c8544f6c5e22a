using System.Collections.Concurrent;
using Microsoft.AspNetCore.Mvc;

namespace Parcels.Intake;

/// <summary>A lane takes one parcel at a time, and a parcel needs a while.</summary>
public sealed class SortingLanes
{
    private readonly SemaphoreSlim[] _lanes = Enumerable.Range(0, 2).Select(_ => new SemaphoreSlim(1, 1)).ToArray();
    private long _sorted;

    public async Task<long> AssignAsync(int parcel)
    {
        var lane = _lanes[parcel % _lanes.Length];
        await lane.WaitAsync();
        try { return await PushAsync(parcel); }
        finally { lane.Release(); }
    }

    private async Task<long> PushAsync(int parcel)
    {
        await Task.Delay(10 + parcel % 6);
        return Interlocked.Increment(ref _sorted);
    }
}

public sealed record Scan(int Parcel, DateTime At);

/// <summary>Scans on their way into the archive. The queue is short, so that nothing is lost for long.</summary>
public sealed class ScanIntake
{
    private readonly BlockingCollection<Scan> _queue = new(boundedCapacity: 16);

    public int Accept(int parcel)
    {
        _queue.Add(new Scan(parcel, DateTime.UtcNow));
        return _queue.Count;
    }

    public IEnumerable<Scan> Take(CancellationToken stop) => _queue.GetConsumingEnumerable(stop);
}

/// <summary>Writes scans one by one to an appliance that takes 3 ms for each.</summary>
public sealed class ScanArchiver(ScanIntake intake) : IHostedService
{
    private readonly CancellationTokenSource _stop = new();
    private Thread? _thread;

    public Task StartAsync(CancellationToken cancel)
    {
        _thread = new Thread(Run) { IsBackground = true, Name = "scan archiver" };
        _thread.Start();
        return Task.CompletedTask;
    }

    public Task StopAsync(CancellationToken cancel)
    {
        _stop.Cancel();
        return Task.CompletedTask;
    }

    private void Run()
    {
        try { foreach (var scan in intake.Take(_stop.Token)) Write(scan); }
        catch (OperationCanceledException) { }
    }

    private static void Write(Scan scan) => Thread.Sleep(scan.Parcel % 2 == 0 ? 3 : 2);
}

[ApiController, Route("sorting")]
public sealed class SortingController(SortingLanes lanes) : ControllerBase
{
    [HttpGet("{parcel:int}/assign")]
    public async Task<IActionResult> Assign(int parcel) => Ok(new { parcel, sorted = await lanes.AssignAsync(parcel) });
}

[ApiController, Route("scans")]
public sealed class ScansController(ScanIntake intake) : ControllerBase
{
    [HttpGet("{parcel:int}")]
    public IActionResult Add(int parcel) => Accepted(new { parcel, waiting = intake.Accept(parcel) });
}
