// SPDX-License-Identifier: Apache-2.0

using System;
using System.IO;
using System.Text;
using System.Threading;
using System.Threading.Tasks;
using Mono.Unix;
using Winscratch;
using Descriptor = Winscratch.WindowsFiles.Descriptor;
using Entry = Winscratch.WindowsFiles.Entry;
using Kind = Winscratch.WindowsFiles.Kind;
using Times = Winscratch.WindowsFiles.Times;
using Writer = Winscratch.WindowsFiles.Writer;

/// <summary>Says what comes of calls that go wrong, a line each: Faults FOLDER, which holds a pipe.</summary>
internal static class Faults
{
    private static readonly byte[] Data = { 1, 2, 3 };

    /// <summary>A stream with so much room.</summary>
    private sealed class Narrow : MemoryStream
    {
        private readonly int room;

        internal Narrow(int room)
        {
            this.room = room;
        }

        public override void Write(byte[] buffer, int offset, int count)
        {
            if (count == 0)
            {
                throw new InvalidOperationException("nothing written");
            }
            base.Write(buffer, offset, Math.Min(count, room - (int)Length));
            if (Length == room)
            {
                throw new IOException("full");
            }
        }
    }

    /// <summary>A stream that cannot seek, and gives one byte at a time, or breaks.</summary>
    private sealed class Drops : MemoryStream
    {
        private readonly bool broken;

        public override bool CanSeek
        {
            get { return false; }
        }

        internal Drops(bool broken)
            : base(Data)
        {
            this.broken = broken;
        }

        public override int Read(byte[] buffer, int offset, int count)
        {
            if (broken)
            {
                throw new InvalidOperationException("broken");
            }
            return base.Read(buffer, offset, Math.Min(count, 1));
        }
    }

    /// <summary>Says what each call comes to, and how many bytes of the layer there are behind it.</summary>
    private static void Say(string what, int room, params Action<Writer>[] calls)
    {
        var output = new Narrow(room);
        var layer = new Writer(output);
        var said = new StringBuilder(what + ":");
        Exception last = null;
        foreach (Action<Writer> call in calls)
        {
            try
            {
                call(layer);
                said.Append(" ok");
            }
            catch (Exception e)
            {
                var refused = e as WindowsFiles.FilesException;
                string text = refused != null ? refused.Code : e is FileNotFoundException ? "/nowhere" : e.Message;
                said.Append(e == last ? " again" : " " + text.Replace(' ', '-'));
                last = e;
            }
            said.Append(' ').Append(output.Length);
        }
        Console.WriteLine(said);
    }

    private static void Main(string[] args)
    {
        Action<Writer> one = layer => layer.Add("a/b", Data);
        Action<Writer> other = layer => layer.Add("c", Data);
        Action<Writer> end = layer => layer.Finish();
        Say("right", 1 << 20, one, other, end, end, one);
        Say("refused", 1 << 20, one, layer => layer.Add("aux", Data), other, end, end);
        Say("repeated", 1 << 20, one, one, end);
        var three = new Entry(Kind.File, "x") { Size = 3 };
        Say("short", 1 << 20, layer => layer.Add(three, new MemoryStream(new byte[2])), end);
        var four = new MemoryStream(new byte[4]);
        Say("long", 1 << 20, layer => layer.Add(three, four), end);
        Console.WriteLine("left: " + (four.Length - four.Position));
        var unsized = new Entry(Kind.File, "x");
        Say("unsized", 1 << 20, layer => layer.Add(unsized, new Drops(false)), end);
        Say("no file", 1 << 20, layer => layer.Add(new Entry(Kind.Directory, "x"), new Drops(false)), end);
        Action<Writer> small = layer => layer.Add(new Entry(Kind.File, "y") { Size = 3 }, new MemoryStream(new byte[2]));
        Say("bytes", 1 << 20, layer => layer.Add(unsized, new MemoryStream(Data)), small);
        Say("none", 1 << 20, layer => layer.Add(three), end);
        Say("empty", 1 << 20, layer => layer.Add(unsized), end);
        Say("full", 5000, one, other, end);
        Say("full at once", 0, one, end);
        Say("by drops", 1 << 20, layer => layer.Add(three, new Drops(false)), end);
        Say("broken", 1 << 20, layer => layer.Add(three, new Drops(true)), other, end);
        var tree = new WindowsFiles.TreeOptions { IsFile = path => new UnixFileInfo(path).IsRegularFile };
        Say("a pipe", 1 << 20, layer => layer.AddTree("", args[0], tree), end);
        Say("no folder", 1 << 20, layer => layer.AddTree("", "/nowhere"), end);
        Say("a kind", 1 << 20, layer => layer.Add(new Entry((Kind)6, "x")), end);
        Console.WriteLine(Text("a\u0007\u202e\"b"));
        Console.WriteLine(Text("\u2028\u2029:"));
        Console.WriteLine(Text(new string('x', 201) + ":"));
        Console.WriteLine(Text(""));
        Console.WriteLine(Descriptor.None.Equals(Descriptor.FromBytes(new byte[0])));
        Action<Writer> cancelled = layer => layer.AddAsync("a", Data, new CancellationToken(true)).GetAwaiter().GetResult();
        Action<Writer> later = layer =>
        {
            Task task = layer.FinishAsync();
            Console.WriteLine(task.Status + " " + task.Exception.InnerException.InnerException.GetType().Name);
        };
        Say("cancelled", 1 << 20, cancelled, later);
        Compare();
    }

    private static void Compare()
    {
        var start = new DateTimeOffset(1980, 1, 2, 0, 0, 0, TimeSpan.Zero);
        Times same = new Times(start), other = new Times(start, start, start, start.AddTicks(1));
        Console.WriteLine(Times.Default + ", " + same.Equals(Times.Default) + " " + same.Equals(other) + " " + same.Equals(null));
        Console.WriteLine(same.GetHashCode() == Times.Default.GetHashCode() && other.Created == start.AddTicks(1)
            && other.Modified == start && other.Accessed == start && other.Changed == start);
        object own = Descriptor.FromBytes(Convert.FromBase64String(Descriptor.UserOwned.ToString()));
        Console.WriteLine(own.Equals(Descriptor.UserOwned) + " " + own.Equals(Descriptor.AdminOwned) + " " + own.Equals("")
            + " " + (own.GetHashCode() == Descriptor.UserOwned.GetHashCode()) + " " + Descriptor.None);
    }

    private static string Text(string path)
    {
        try
        {
            WindowsFiles.GetHeader(new Entry(Kind.Directory, path));
            return "taken";
        }
        catch (WindowsFiles.FilesException e)
        {
            return e.Path == path ? e.Message : "another path";
        }
    }
}
