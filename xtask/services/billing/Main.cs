// Billing: accounts, statements and reports. No routing and no controllers: one terminal middleware looks the first
// segment of the path up and hands the rest to an operation. Each operation shows one behaviour; ../behaviours.toml
// says which, and what an expert concludes.
//
// Settings (environment variables):
//   ASPNETCORE_URLS  where to listen
//   BANK_URL         an HTTP back end that answers /delay/MS after MS milliseconds
//   BILLING_DATA     a folder for the audit trail
//   BILLING_INBOX    `poll`: payments are collected by a thread that looks for them without a pause
using Acme.Billing.Operations;
using Acme.Billing.Workers;
using Microsoft.AspNetCore.Hosting.Server.Features;

namespace Acme.Billing;

internal static class Entry
{
    private static void Main(string[] args) => Host.CreateDefaultBuilder(args)
        .ConfigureLogging(logging => logging.ClearProviders())
        .ConfigureServices(services =>
        {
            services.AddSingleton(OperationTable.Build);
            services.AddSingleton(Bank.FromEnvironment());
            services.AddHostedService<DunningWorker>();
            if (Environment.GetEnvironmentVariable("BILLING_INBOX") == "poll") services.AddHostedService<InboxWorker>();
        })
        .ConfigureWebHostDefaults(web => web.Configure(app => app.Run(Dispatcher.HandleAsync)))
        .Build()
        .Run();
}

/// <summary>An operation takes what follows its name in the path, and returns what is answered.</summary>
internal delegate ValueTask<Reply> Operation(Call call);

internal readonly record struct Call(int Number, CancellationToken Stop);

internal readonly record struct Reply(object Body);

internal static class Dispatcher
{
    public static async Task HandleAsync(HttpContext http)
    {
        var table = http.RequestServices.GetRequiredService<OperationTable>();
        var (name, number) = Split(http.Request.Path.Value ?? "/");
        if (!table.TryFind(name, out var operation))
        {
            http.Response.StatusCode = StatusCodes.Status404NotFound;
            return;
        }
        var reply = await operation(new Call(number, http.RequestAborted));
        await http.Response.WriteAsJsonAsync(reply.Body, http.RequestAborted);
    }

    private static (string Name, int Number) Split(string path)
    {
        int slash = path.IndexOf('/', 1);
        return slash < 0 ? (path[1..], 0) : (path[1..slash], int.TryParse(path.AsSpan(slash + 1), out int n) ? n : 0);
    }
}
