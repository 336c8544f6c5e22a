using System.Diagnostics.CodeAnalysis;
using Acme.Billing.Books;
using Acme.Billing.Reports;
using Acme.Billing.Security;

namespace Acme.Billing.Operations;

/// <summary>All operations by name.</summary>
internal sealed class OperationTable
{
    private readonly Dictionary<string, Operation> _operations = new(StringComparer.Ordinal);

    public static OperationTable Build(IServiceProvider services)
    {
        var bank = services.GetRequiredService<Bank>();
        var table = new OperationTable();
        table.Add("ping", _ => new { ok = true });
        table.Add("balance", call => Accounts.Balance(call.Number));
        table.Add("statement", call => Statements.Close(call.Number));
        table.Add("replay", call => Replay.Run(call.Number));
        table.Add("export", call => CsvExport.Length(call.Number));
        table.Add("search", call => CustomerSearch.Find(call.Number));
        table.Add("watch", call => AccountFeed.Watch(call.Number));
        table.Add("seal", call => Vault.Seal(call.Number));
        table.Add("terminal", call => TerminalLink.Exchange(call.Number));
        table.Add("discount", call => DiscountRules.Evaluate(call.Number));
        table.Add("thumbnail", call => Thumbnails.Make(call.Number));
        table.Add("transfer", call => Transfers.Move(call.Number));
        table.Add("fraud", call => FraudScore.Of(call.Number));
        table.Add("audit", call => AuditTrail.Record(call.Number));
        table.Add("session", call => Sessions.Open(call.Number));
        table.Add("archive", call => StatementArchive.Store(call.Number));
        table.Add("capture", call => Payments.Capture(bank, call.Number));
        table._operations["rate"] = async call => new Reply(await bank.RateAsync(call.Number, call.Stop));
        table._operations["invoice"] = async call => new Reply(await Invoices.TotalAsync(bank, call.Number, call.Stop));
        table._operations["tax"] = async call => new Reply(await TaxOffice.AskAsync(bank, call.Number, call.Stop));
        return table;
    }

    public bool TryFind(string name, [MaybeNullWhen(false)] out Operation operation) => _operations.TryGetValue(name, out operation);

    private void Add(string name, Func<Call, object> operation) =>
        _operations[name] = call => ValueTask.FromResult(new Reply(operation(call)));
}
