// SPDX-License-Identifier: Apache-2.0

using System;
using System.IO;
using System.Security.Cryptography;
#if MONO
using Mono.Unix;
#endif
using Winscratch; // the namespace that both modules were vendored into

/// <summary>
/// Makes an image of a folder, for HostProcess containers, as an OCI layout: Image FOLDER LAYOUT. The image names no
/// program to start: that is up to the pod.
/// </summary>
internal static class Image
{
    private const string Oci = "application/vnd.oci.image.";
    private const string Head = "{\"schemaVersion\":2,\"mediaType\":\"" + Oci;
    private const string Platform = "\"architecture\":\"amd64\",\"os\":\"windows\"";

    /// <summary>Makes a file a blob, whose name is its digest, and returns what points to it.</summary>
    private static string Add(string file, string type, out string digest)
    {
        long size;
        using (var sha256 = SHA256.Create())
        using (FileStream data = File.OpenRead(file))
        {
            digest = BitConverter.ToString(sha256.ComputeHash(data)).Replace("-", "").ToLowerInvariant();
            size = data.Length;
        }
        File.Move(file, Path.Combine(Path.GetDirectoryName(file), digest));
        digest = "sha256:" + digest;
        return $"\"mediaType\":\"{type}\",\"digest\":\"{digest}\",\"size\":{size}";
    }

    private static void Write(string folder, string layout)
    {
        if (Directory.Exists(layout) || File.Exists(layout))
        {
            throw new IOException(layout + " is there already");
        }
        string next = Path.Combine(Directory.CreateDirectory(Path.Combine(layout, "blobs/sha256")).FullName, "new");
        string baseDigest, top, unused;
        using (FileStream output = File.Create(next))
        {
            WindowsHostprocess.OpenCompressed().CopyTo(output);
        }
        string layers = "{" + Add(next, WindowsHostprocess.MediaType, out baseDigest) + "},{";
        using (FileStream output = File.Create(next))
        {
            var layer = new WindowsFiles.Writer(output);
            var tree = new WindowsFiles.TreeOptions();
#if MONO // .NET itself can tell a link's target, but not a file from a pipe
            tree.ReadLink = UnixPath.ReadLink;
            tree.IsFile = path => new UnixFileInfo(path).IsRegularFile;
#endif
            layer.AddTree("", folder, tree);
            layer.Finish();
        }
        layers += Add(next, Oci + "layer.v1.tar", out top) + "}";
        string diffIds = $"\"{WindowsHostprocess.DiffId}\",\"{top}\"";
        string rootFs = "{\"type\":\"layers\",\"diff_ids\":[" + diffIds + "]}";
        File.WriteAllText(next, "{" + Platform + ",\"config\":{},\"rootfs\":" + rootFs + "}");
        string config = Add(next, Oci + "config.v1+json", out unused);
        File.WriteAllText(next, Head + "manifest.v1+json\",\"config\":{" + config + "},\"layers\":[" + layers + "]}");
        string manifest = Add(next, Oci + "manifest.v1+json", out unused);
        File.WriteAllText(Path.Combine(layout, "oci-layout"), "{\"imageLayoutVersion\":\"1.0.0\"}");
        manifest += ",\"annotations\":{\"org.opencontainers.image.ref.name\":\"latest\"},\"platform\":{" + Platform + "}";
        File.WriteAllText(Path.Combine(layout, "index.json"), Head + "index.v1+json\",\"manifests\":[{" + manifest + "}]}");
    }

    private static int Main(string[] args)
    {
        if (args.Length != 2)
        {
            Console.Error.WriteLine("usage: Image FOLDER LAYOUT");
            return 2;
        }
        try
        {
            Write(args[0], args[1]);
            return 0;
        }
        catch (IOException e)
        {
            Console.Error.WriteLine(e.Message);
            return 1;
        }
    }
}
