// SPDX-License-Identifier: Apache-2.0

using System;
using System.Formats.Tar;
using System.IO;
using System.Linq;
using System.Security.Cryptography;
using System.Threading;
using System.Threading.Tasks;
using Winscratch;

/// <summary>Reads the layers, and what .NET 8 makes of a folder with a link, with .NET's own reader of tars.</summary>
internal static class Consumer
{
    private static string List(Stream layer)
    {
        var listed = new StringWriter();
        using (var tar = new TarReader(layer))
        {
            for (TarEntry entry = tar.GetNextEntry(); entry != null; entry = tar.GetNextEntry())
            {
                listed.Write($"{entry.Name} {entry.Length} {entry.LinkName};");
            }
        }
        return listed.ToString();
    }

    private static void Expect(bool right, string what)
    {
        if (!right)
        {
            throw new InvalidDataException(what);
        }
    }

    private static async Task Main()
    {
        WindowsScratch.Verify();
        string digest = "sha256:" + Convert.ToHexString(SHA256.HashData(WindowsScratch.Blob.Span)).ToLowerInvariant();
        Expect(digest == WindowsScratch.Digest, "the blob's digest");
        Expect(WindowsScratch.Layer.Length == WindowsScratch.LayerSize, "the layer's size");
        Expect(WindowsScratch.Bcd.Span.Slice(0, 4).SequenceEqual("regf"u8), "the BCD store");
        Expect(List(WindowsScratch.Open()).Contains("Files/Windows/System32/config/SYSTEM 8192 ;"), "the layer's files");

        string folder = Directory.CreateTempSubdirectory().FullName;
        File.WriteAllText(Path.Combine(folder, "a.txt"), "a");
        File.CreateSymbolicLink(Path.Combine(folder, "link"), "a.txt");
        File.CreateSymbolicLink(Path.Combine(folder, "nowhere"), "nothing");
        var output = new MemoryStream();
        var layer = new WindowsFiles.Writer(output);
        layer.AddTree("", folder);
        layer.Finish();
        output.Position = 0;
        string listed = List(output);
        Expect(listed == "Hives 0 ;Files 0 ;Files/a.txt 1 ;Files/link 0 a.txt;Files/nowhere 0 nothing;", listed);

        var second = new MemoryStream();
        var later = new WindowsFiles.Writer(second);
        await later.AddTreeAsync("", folder);
        await later.FinishAsync();
        Expect(second.ToArray().AsSpan().SequenceEqual(output.ToArray()), "the layer written asynchronously");
        Directory.Delete(folder, true);

        var cancelled = new WindowsFiles.Writer(new MemoryStream());
        string outcome = "";
        foreach (CancellationToken token in new[] { new CancellationToken(true), CancellationToken.None })
        {
            try
            {
                await cancelled.AddAsync("a", WindowsScratch.Blob, token);
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
}
