// SPDX-License-Identifier: Apache-2.0

using System;
using System.IO;
using System.IO.Compression;
using System.Linq;
using System.Reflection;
using System.Security.Cryptography;
using System.Threading;
using System.Threading.Tasks;
using Winscratch;
#if MONO
using Mono.Unix;
#else
using System.Formats.Tar;
#endif

/// <summary>
/// Checks the modules as a project does that takes them from the package: Consumer FOLDER, with the committed blobs. With
/// "layers" and that program's arguments it is Layers. Mono builds it, too, from sources and without a reader of tars.
/// </summary>
internal static class Consumer
{
    private static void Main(string[] args)
    {
        if (args[0] == "layers")
        {
            Layers.Main(args.Skip(1).ToArray());
            return;
        }
        string[] blobs = Directory.GetFiles(args[0], "*.tar.gz");
        Expect(blobs.Length > 1, "there are no blobs");
        foreach (string blob in blobs)
        {
            CheckLayer(Path.GetFileName(blob).Replace(".tar.gz", ""), File.ReadAllBytes(blob));
        }
        CheckStore();
        CheckTree();
        CheckCancelled();
        Console.WriteLine(blobs.Length + " layers and the writer: right");
    }

    private static void Expect(bool right, string what)
    {
        if (!right)
        {
            throw new InvalidDataException(what);
        }
    }

    /// <summary>Checks a layer's class against the committed blob.</summary>
    private static void CheckLayer(string name, byte[] blob)
    {
        string title = "Winscratch.Windows" + name.Substring(0, 1).ToUpperInvariant() + name.Substring(1);
        Type layer = typeof(WindowsFiles).Assembly.GetType(title, true);
        layer.GetMethod("Verify").Invoke(null, null);
        byte[] tar;
        using (var gzip = new GZipStream(new MemoryStream(blob), CompressionMode.Decompress))
        {
            tar = Read(gzip);
        }
        Expect((string)Constant(layer, "Name") == name, name + ": its name");
        CheckBytes(layer, blob, "Blob", "OpenCompressed", "Digest");
        CheckBytes(layer, tar, "Layer", "Open", "DiffId");
    }

    private static void CheckBytes(Type layer, byte[] data, string view, string open, string digest)
    {
        string sum;
        using (var sha256 = SHA256.Create())
        {
            sum = BitConverter.ToString(sha256.ComputeHash(data)).Replace("-", "").ToLowerInvariant();
        }
        Expect((string)Constant(layer, digest) == "sha256:" + sum, layer + ": " + digest);
        Expect((int)Constant(layer, view + "Size") == data.Length, layer + ": the size of " + view);
        var memory = (ReadOnlyMemory<byte>)layer.GetProperty(view).GetValue(null);
        Expect(memory.ToArray().SequenceEqual(data), layer + ": " + view);
        using (var stream = (Stream)layer.GetMethod(open).Invoke(null, null))
        {
            Expect(Read(stream).SequenceEqual(data), layer + ": " + open);
        }
    }

    private static object Constant(Type layer, string name)
    {
        return layer.GetField(name, BindingFlags.Public | BindingFlags.Static).GetValue(null);
    }

    private static byte[] Read(Stream stream)
    {
        var data = new MemoryStream();
        stream.CopyTo(data);
        return data.ToArray();
    }

    private static void CheckStore()
    {
        Expect(WindowsScratch.Bcd.Slice(0, 4).ToArray().SequenceEqual(new[] { (byte)'r', (byte)'e', (byte)'g', (byte)'f' }), "the BCD store");
        Listed(WindowsScratch.Open(), "Files/Windows/System32/config/SYSTEM 8192 ;", false);
    }

    /// <summary>Checks the layer of a folder with links, written by both ways.</summary>
    private static void CheckTree()
    {
        string folder = Path.Combine(Path.GetTempPath(), Path.GetRandomFileName());
        Directory.CreateDirectory(folder);
        try
        {
            File.WriteAllText(Path.Combine(folder, "a.txt"), "a");
            Link(Path.Combine(folder, "link"), "a.txt");
            Link(Path.Combine(folder, "nowhere"), "nothing");
            var output = new MemoryStream();
            var layer = new WindowsFiles.Writer(output);
            layer.AddTree("", folder, Tree());
            layer.Finish();
            Listed(
                new MemoryStream(output.ToArray()),
                "Hives 0 ;Files 0 ;Files/a.txt 1 ;Files/link 0 a.txt;Files/nowhere 0 nothing;",
                true);

            var second = new MemoryStream();
            AddLater(second, folder).GetAwaiter().GetResult();
            Expect(second.ToArray().SequenceEqual(output.ToArray()), "the layer written asynchronously");
        }
        finally
        {
            Directory.Delete(folder, true);
        }
    }

    private static async Task AddLater(Stream output, string folder)
    {
        var layer = new WindowsFiles.Writer(output);
        await layer.AddTreeAsync("", folder, Tree());
        await layer.FinishAsync();
    }

    private static void CheckCancelled()
    {
        var layer = new WindowsFiles.Writer(new MemoryStream());
        string outcome = "";
        foreach (CancellationToken token in new[] { new CancellationToken(true), CancellationToken.None })
        {
            try
            {
                layer.AddAsync("a", WindowsScratch.Blob, token).GetAwaiter().GetResult();
            }
            catch (OperationCanceledException)
            {
                outcome += "cancelled;";
            }
            catch (InvalidOperationException)
            {
                outcome += "failed;";
            }
        }
        Expect(outcome == "cancelled;failed;", outcome);
    }

#if MONO
    private static void Link(string path, string target)
    {
        new UnixSymbolicLinkInfo(path).CreateSymbolicLinkTo(target);
    }

    private static WindowsFiles.TreeOptions Tree()
    {
        return new WindowsFiles.TreeOptions { ReadLink = UnixPath.ReadLink };
    }

    private static void Listed(Stream layer, string expected, bool whole)
    {
    }
#else
    private static void Link(string path, string target)
    {
        File.CreateSymbolicLink(path, target);
    }

    private static WindowsFiles.TreeOptions Tree()
    {
        return new WindowsFiles.TreeOptions();
    }

    /// <summary>Checks what .NET's own reader of tars finds.</summary>
    private static void Listed(Stream layer, string expected, bool whole)
    {
        string listed = "";
        using (var tar = new TarReader(layer))
        {
            for (TarEntry entry = tar.GetNextEntry(); entry != null; entry = tar.GetNextEntry())
            {
                listed += entry.Name + " " + entry.Length + " " + entry.LinkName + ";";
            }
        }
        Expect(whole ? listed == expected : listed.Contains(expected), listed);
    }
#endif
}
