// Parcels: a parcel-tracking service with MVC controllers, injected services and background work. Each route shows one
// behaviour; ../behaviours.toml says which, and what an expert concludes.
//
// Settings (environment variables):
//   ASPNETCORE_URLS  where to listen
//   CARRIER_URL      an HTTP back end that answers /delay/MS after MS milliseconds
//   PARCELS_DATA     a folder for manifests
using Parcels.Addressing;
using Parcels.Carriers;
using Parcels.Depots;
using Parcels.Forecasting;
using Parcels.Intake;
using Parcels.Labels;
using Parcels.Notifications;
using Parcels.Routing;
using Parcels.Tracking;
using Parcels.Webhooks;

namespace Parcels;

public static class Program
{
    public static async Task Main(string[] args)
    {
        var builder = WebApplication.CreateBuilder(args);
        builder.Logging.SetMinimumLevel(LogLevel.Warning);
        builder.Services.AddControllers();
        builder.Services.Configure<CarrierOptions>(options =>
        {
            options.BaseAddress = new Uri(Environment.GetEnvironmentVariable("CARRIER_URL") ?? "http://127.0.0.1:5999");
        });
        builder.Services.AddHttpClient<CarrierClient>();
        builder.Services.AddSingleton<CustomsGateway>();
        builder.Services.AddSingleton<ParcelCatalogue>();
        builder.Services.AddSingleton<ManifestArchive>();
        builder.Services.AddSingleton<ArrivalForecast>();
        builder.Services.AddHostedService<ForecastPlanner>();
        builder.Services.AddSingleton<RouteBook>();
        builder.Services.AddSingleton<LabelPrinter>();
        builder.Services.AddSingleton<WaybillRenderer>();
        builder.Services.AddSingleton<SortingLanes>();
        builder.Services.AddSingleton<ScanIntake>();
        builder.Services.AddHostedService<ScanArchiver>();
        builder.Services.AddSingleton<NotificationFanout>();
        builder.Services.AddSingleton<AddressChecker>();
        builder.Services.AddSingleton<TariffBook>();
        builder.Services.AddSingleton<DepotBoard>();
        builder.Services.AddSingleton<WebhookDispatcher>();

        var app = builder.Build();
        app.MapControllers();
        await app.RunAsync();
    }
}
