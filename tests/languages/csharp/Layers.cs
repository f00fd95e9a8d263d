// SPDX-License-Identifier: Apache-2.0

using System;
using System.Collections.Generic;
using System.Globalization;
using System.IO;
using System.Numerics;
using System.Text;
#if MONO
using Mono.Unix;
#endif
using Winscratch;
using Descriptor = Winscratch.WindowsFiles.Descriptor;
using Entry = Winscratch.WindowsFiles.Entry;
using Kind = Winscratch.WindowsFiles.Kind;
using Times = Winscratch.WindowsFiles.Times;

/// <summary>
/// Makes layers on top of what it reads, and answers with their bytes: tests/helpers/layer_vectors.py has the words. With
/// "tree FOLDER PATH own|one" it writes the layer of a folder.
/// </summary>
internal static class Layers
{
    private static readonly DateTimeOffset Start = new DateTimeOffset(1970, 1, 1, 0, 0, 0, TimeSpan.Zero);

    internal static void Main(string[] args)
    {
        using (Stream output = new BufferedStream(Console.OpenStandardOutput(), 1 << 20))
        {
            if (args.Length == 4)
            {
                var layer = new WindowsFiles.Writer(output);
                var tree = new WindowsFiles.TreeOptions { OwnTimes = args[3] == "own" };
#if MONO // .NET itself can tell a link's target
                tree.ReadLink = UnixPath.ReadLink;
#endif
                if (tree.OwnTimes)
                {
                    layer.AddTree(args[2], args[1], tree);
                    layer.Finish();
                }
                else
                {
                    layer.AddTreeAsync(args[2], args[1], tree).GetAwaiter().GetResult();
                    layer.FinishAsync().GetAwaiter().GetResult();
                }
                return;
            }
            var asked = new List<string[]>();
            for (string line = Console.ReadLine(); line != null; line = Console.ReadLine())
            {
                if (line != "end")
                {
                    asked.Add(line.Split(' '));
                    continue;
                }
                List<string[]> rest = asked.GetRange(1, asked.Count - 1);
                if (asked[0][0] == "calls")
                {
                    AnswerCalls(output, asked[0], rest);
                }
                else
                {
                    Answer(output, asked[0], rest);
                }
                asked.Clear();
            }
        }
    }

    private static void Answer(Stream output, string[] first, List<string[]> entries)
    {
        var made = new MemoryStream();
        int done = 0;
        try
        {
            if (first[0] == "header")
            {
                Put(made, WindowsFiles.GetHeader(ToEntry(entries[0])));
            }
            else
            {
                var layer = new WindowsFiles.Writer(made, ToDescriptor(first[1]), ToTimes(first, 2) ?? WindowsFiles.Times.Default);
                foreach (string[] words in entries)
                {
                    Add(layer, words);
                    done++;
                }
                layer.Finish();
            }
        }
        catch (WindowsFiles.FilesException e)
        {
            Put(output, Encoding.ASCII.GetBytes("error " + e.Code + " " + done + "\n"));
            return;
        }
        Put(output, Encoding.ASCII.GetBytes("ok " + made.Length + "\n"));
        made.WriteTo(output);
    }

    /// <summary>Answers with the result of each call, and what is written then.</summary>
    private static void AnswerCalls(Stream output, string[] first, List<string[]> calls)
    {
        var made = new MemoryStream();
        Times times = ToTimes(first, 2) ?? WindowsFiles.Times.Default;
        var layer = new WindowsFiles.Writer(made, ToDescriptor(first[1]), times);
        var said = new StringBuilder("calls");
        foreach (string[] words in calls)
        {
            try
            {
                if (words[0] == "close")
                {
                    layer.Finish();
                }
                else
                {
                    Add(layer, words);
                }
                said.Append(" -");
            }
            catch (WindowsFiles.FilesException e)
            {
                said.Append(' ').Append(e.Code);
            }
            catch (Exception)
            {
                said.Append(" other");
            }
        }
        Put(output, Encoding.ASCII.GetBytes(said + " " + made.Length + "\n"));
        made.WriteTo(output);
    }

    /// <summary>Adds an entry, every other one by the asynchronous way.</summary>
    private static void Add(WindowsFiles.Writer layer, string[] words)
    {
        int size = words[0] == "file" ? int.Parse(words[3]) : 0;
        var data = new MemoryStream(Encoding.ASCII.GetBytes(new string('x', size)));
        if (asynchronous = !asynchronous)
        {
            layer.AddAsync(ToEntry(words), data).GetAwaiter().GetResult();
        }
        else
        {
            layer.Add(ToEntry(words), data);
        }
    }

    private static bool asynchronous;

    private static void Put(Stream output, byte[] data)
    {
        output.Write(data, 0, data.Length);
    }

    private static Entry ToEntry(string[] words)
    {
        return new Entry((Kind)Enum.Parse(typeof(Kind), words[0].Replace("-", ""), true), ToText(words[1]))
        {
            Target = ToText(words[2]),
            Size = long.Parse(words[3]),
            Attributes = (FileAttributes)unchecked((int)uint.Parse(words[4])),
            Descriptor = ToDescriptor(words[5]),
            Times = ToTimes(words, 6),
        };
    }

    private static byte[] ToBytes(string word)
    {
        var found = new byte[word.Length / 2];
        for (int i = 0; i < found.Length; i++)
        {
            found[i] = byte.Parse(word.Substring((2 * i) + 1, 2), NumberStyles.HexNumber);
        }
        return found;
    }

    /// <summary>Returns a text; bytes that are no UTF-8 become a surrogate that stands alone.</summary>
    private static string ToText(string word)
    {
        try
        {
            return new UTF8Encoding(false, true).GetString(ToBytes(word));
        }
        catch (ArgumentException)
        {
            return "\ud800";
        }
    }

    private static Descriptor ToDescriptor(string word)
    {
        switch (word)
        {
            case "=":
                return null;
            case "users-read":
                return Descriptor.UsersRead;
            case "user-owned":
                return Descriptor.UserOwned;
            case "admin-owned":
                return Descriptor.AdminOwned;
            case "none":
                return Descriptor.None;
            default: // a name that there is not is as no bytes
                return Descriptor.FromBytes(word[0] == ':' ? ToBytes(word) : new byte[0]);
        }
    }

    private static Times ToTimes(string[] words, int at)
    {
        if (words[at] == "=")
        {
            return null;
        }
        var four = new DateTimeOffset[4];
        for (int i = 0; i < 4; i++)
        {
            BigInteger number = BigInteger.Parse(words[at + i]);
            BigInteger rest = ((number % 100) + 100) % 100;
            four[i] = Start.AddTicks((long)((number - rest) / 100));
        }
        return new Times(four[0], four[1], four[2], four[3]);
    }
}
