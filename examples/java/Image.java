// SPDX-License-Identifier: Apache-2.0

import java.io.IOException;
import java.io.OutputStream;
import java.math.BigInteger;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.DigestOutputStream;
import java.security.MessageDigest;
import winscratch.WindowsFiles; // where it was vendored, as is the next
import winscratch.WindowsHostprocess;

/**
 * Makes an image of a folder, for HostProcess containers, as an OCI layout: java Image FOLDER
 * LAYOUT
 *
 * <p>The image names no program to start: that is up to the pod.
 */
final class Image {
  private static final String OCI = "application/vnd.oci.image.";
  private static final String PLATFORM = "\"architecture\":\"amd64\",\"os\":\"windows\"";

  /** Makes the file new a blob, whose name is its digest, and returns what points to it. */
  private static String add(Path file, String type) throws Exception {
    MessageDigest sum = MessageDigest.getInstance("SHA-256");
    Files.copy(file, new DigestOutputStream(OutputStream.nullOutputStream(), sum));
    String digest = String.format("%064x", new BigInteger(1, sum.digest()));
    Path blob = Files.move(file, file.resolveSibling(digest));
    return String.format(
        "\"mediaType\":\"%s\",\"digest\":\"sha256:%s\",\"size\":%d",
        type, digest, Files.size(blob));
  }

  private static String add(Path file, String type, String json, Object... parts) throws Exception {
    return add(Files.writeString(file, String.format(json, parts)), type);
  }

  private static void write(Path folder, Path layout) throws Exception {
    Files.createDirectory(layout);
    Path next = Files.createDirectories(layout.resolve("blobs/sha256")).resolve("new");
    Files.copy(WindowsHostprocess.openCompressed(), next);
    String base = add(next, WindowsHostprocess.MEDIA_TYPE);
    try (OutputStream out = Files.newOutputStream(next)) {
      WindowsFiles.LayerWriter layer = new WindowsFiles.LayerWriter(out);
      layer.addTree("", folder);
      layer.finish();
    }
    String top = add(next, OCI + "layer.v1.tar");
    String config = "{%s,\"config\":{},\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[\"%s\",%s]}}";
    String diffId = top.replaceAll(".*(\"sha256:\\w+\").*", "$1");
    config =
        add(next, OCI + "config.v1+json", config, PLATFORM, WindowsHostprocess.DIFF_ID, diffId);
    String head = "{\"schemaVersion\":2,\"mediaType\":\"" + OCI;
    String manifest = head + "manifest.v1+json\",\"config\":{%s},\"layers\":[{%s},{%s}]}";
    manifest = add(next, OCI + "manifest.v1+json", manifest, config, base, top);
    Files.writeString(layout.resolve("oci-layout"), "{\"imageLayoutVersion\":\"1.0.0\"}");
    String index =
        head + "index.v1+json\",\"manifests\":[{%s,\"annotations\":{%s},\"platform\":{%s}}]}";
    String tag = "\"org.opencontainers.image.ref.name\":\"latest\"";
    Files.writeString(layout.resolve("index.json"), String.format(index, manifest, tag, PLATFORM));
  }

  public static void main(String[] args) throws Exception {
    if (args.length != 2) {
      System.err.println("usage: java Image FOLDER LAYOUT");
      System.exit(2);
    }
    try {
      write(Path.of(args[0]), Path.of(args[1]));
    } catch (IOException e) {
      System.err.println(e.getMessage() + " (" + e.getClass().getSimpleName() + ")");
      System.exit(1);
    }
  }
}
