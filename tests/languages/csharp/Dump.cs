// SPDX-License-Identifier: Apache-2.0

using System;
using System.IO;
using System.Reflection;

/// <summary>Writes what the modules in this program hold: Dump FOLDER NAMESPACE.CLASS…</summary>
internal static class Dump
{
    private static void Main(string[] args)
    {
        for (int i = 1; i < args.Length; i++)
        {
            Type layer = Type.GetType(args[i], true);
            layer.GetMethod("Verify").Invoke(null, null);
            string file = Path.Combine(args[0], (string)layer.GetField("Name").GetValue(null));
            Save(file + ".tar", layer, "Open", "Layer");
            Save(file + ".tar.gz", layer, "OpenCompressed", "Blob");
            PropertyInfo bcd = layer.GetProperty("Bcd");
            if (bcd != null)
            {
                File.WriteAllBytes(file + ".bcd", Bytes(bcd));
            }
        }
    }

    /// <summary>Saves a view, which nobody can write to, and what a stream has.</summary>
    private static void Save(string file, Type layer, string open, string view)
    {
        using (var data = new MemoryStream())
        using (var stream = (Stream)layer.GetMethod(open).Invoke(null, null))
        {
            stream.CopyTo(data);
            byte[] viewed = Bytes(layer.GetProperty(view));
            if (stream.CanWrite || !stream.CanSeek || viewed.Length != (int)layer.GetField(view + "Size").GetValue(null))
            {
                throw new InvalidDataException(view);
            }
            File.WriteAllBytes(file, viewed);
            File.WriteAllBytes(file + ".opened", data.ToArray());
        }
    }

    private static byte[] Bytes(PropertyInfo view)
    {
        return ((ReadOnlyMemory<byte>)view.GetValue(null)).ToArray();
    }
}
