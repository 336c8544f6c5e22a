using System.Threading.Channels;
using Microsoft.AspNetCore.Mvc;

namespace Parcels.Forecasting;

public sealed record Arrival(int Parcel, int Minutes);

public sealed record ForecastJob(int Parcel, TaskCompletionSource<Arrival> Answer);

/// <summary>Asks the planner, which answers in rounds.</summary>
public sealed class ArrivalForecast
{
    private readonly Channel<ForecastJob> _jobs = Channel.CreateUnbounded<ForecastJob>();

    public ChannelReader<ForecastJob> Jobs => _jobs.Reader;

    /// <summary>For callers that are not asynchronous yet.</summary>
    public Arrival For(int parcel) => AskPlannerAsync(parcel).GetAwaiter().GetResult();

    private async Task<Arrival> AskPlannerAsync(int parcel)
    {
        var job = new ForecastJob(parcel, new(TaskCreationOptions.RunContinuationsAsynchronously));
        await _jobs.Writer.WriteAsync(job);
        var arrival = await job.Answer.Task;
        return arrival with { Minutes = arrival.Minutes + 5 };
    }
}

/// <summary>Plans all open questions together, ten times per second.</summary>
public sealed class ForecastPlanner(ArrivalForecast forecast) : BackgroundService
{
    protected override async Task ExecuteAsync(CancellationToken stop)
    {
        using var rounds = new PeriodicTimer(TimeSpan.FromMilliseconds(100));
        while (await rounds.WaitForNextTickAsync(stop))
        {
            while (forecast.Jobs.TryRead(out var job)) job.Answer.SetResult(Plan(job.Parcel));
        }
    }

    private static Arrival Plan(int parcel) => new(parcel, 30 + parcel % 90);
}

[ApiController, Route("arrivals")]
public sealed class ArrivalsController(ArrivalForecast forecast) : ControllerBase
{
    [HttpGet("{parcel:int}")]
    public Arrival Get(int parcel) => forecast.For(parcel);
}
