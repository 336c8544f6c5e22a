// Does nothing, without tasks, until its input ends.
System.Console.WriteLine("READY");
while (System.Console.In.Read() >= 0) { }
