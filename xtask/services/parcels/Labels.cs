using System.Text;
using Microsoft.AspNetCore.Mvc;

namespace Parcels.Labels;

/// <summary>One label printer. Its driver waits for the paper.</summary>
public sealed class LabelPrinter
{
    private readonly object _device = new();
    private int _printed;

    public int Print(string text)
    {
        lock (_device)
        {
            SendToDevice(text);
            return ++_printed;
        }
    }

    private static void SendToDevice(string text)
    {
        byte[] raster = Encoding.UTF8.GetBytes(text);
        if (raster.Length > 0) WaitForPaper();
    }

    private static void WaitForPaper() => Thread.Sleep(12);
}

/// <summary>The waybill library wants a thread of its own with a deep stack.</summary>
public sealed class WaybillRenderer
{
    public int Render(int parcel)
    {
        int pages = 0;
        var thread = new Thread(() => pages = Layout(parcel), maxStackSize: 4 << 20) { Name = "waybill" };
        thread.Start();
        thread.Join();
        return pages;
    }

    private static int Layout(int parcel)
    {
        var text = new StringBuilder();
        for (int line = 0; line < 200; line++) text.Append(parcel).Append(' ').Append(line * parcel).Append('\n');
        return CountPages(text.ToString());
    }

    private static int CountPages(string text) => 1 + text.Count(c => c == '\n') / 60;
}

[ApiController, Route("labels")]
public sealed class LabelsController(LabelPrinter printer) : ControllerBase
{
    [HttpGet("{parcel:int}/print")]
    public IActionResult Print(int parcel) => Ok(new { parcel, number = printer.Print($"label of {parcel}") });
}

[ApiController, Route("waybills")]
public sealed class WaybillsController(WaybillRenderer renderer) : ControllerBase
{
    [HttpGet("{parcel:int}")]
    public IActionResult Get(int parcel) => Ok(new { parcel, pages = renderer.Render(parcel) });
}
