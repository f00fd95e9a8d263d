// SPDX-License-Identifier: Apache-2.0

import com.google.cloud.tools.jib.api.Containerizer;
import com.google.cloud.tools.jib.api.Jib;
import com.google.cloud.tools.jib.api.RegistryImage;
import com.google.cloud.tools.jib.api.TarImage;
import com.google.cloud.tools.jib.api.buildplan.Platform;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.math.BigInteger;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.util.Set;
import java.util.zip.GZIPOutputStream;
import org.apache.commons.compress.archivers.tar.TarArchiveEntry;
import org.apache.commons.compress.archivers.tar.TarArchiveOutputStream;
import winscratch.WindowsFiles; // where it was vendored, as is the next
import winscratch.WindowsScratch;

/**
 * Pushes a Windows image of a folder with jib-core: java Push FOLDER HOST/NAME:TAG
 *
 * <p>jib takes both layers as they are, from an archive as "docker save" writes it. It prints the
 * digests of both and of the manifest.
 */
final class Push {
  private static void put(TarArchiveOutputStream tar, String name, byte[] data) throws IOException {
    TarArchiveEntry entry = new TarArchiveEntry(name);
    entry.setSize(data.length);
    tar.putArchiveEntry(entry);
    tar.write(data);
    tar.closeArchiveEntry();
  }

  private static String digest(byte[] data) throws Exception {
    byte[] sum = MessageDigest.getInstance("SHA-256").digest(data);
    return "sha256:" + String.format("%064x", new BigInteger(1, sum));
  }

  private static byte[] gzip(byte[] data) throws IOException {
    ByteArrayOutputStream out = new ByteArrayOutputStream();
    try (GZIPOutputStream gzip = new GZIPOutputStream(out)) {
      gzip.write(data);
    }
    return out.toByteArray();
  }

  public static void main(String[] args) throws Exception {
    WindowsScratch.verify();
    byte[] base = WindowsScratch.openCompressed().readAllBytes();
    ByteArrayOutputStream out = new ByteArrayOutputStream();
    WindowsFiles.LayerWriter layer = new WindowsFiles.LayerWriter(out);
    layer.addTree("", Path.of(args[0]));
    layer.finish();
    byte[] top = gzip(out.toByteArray());
    String config =
        "{\"architecture\":\"amd64\",\"os\":\"windows\",\"config\":{},\"rootfs\":{"
            + "\"type\":\"layers\",\"diff_ids\":[\"%s\",\"%s\"]}}";
    config = String.format(config, WindowsScratch.DIFF_ID, digest(out.toByteArray()));
    String manifest =
        "[{\"Config\":\"config.json\",\"Layers\":[\"base.tar.gz\",\"top.tar.gz\"],\"RepoTags\":[]}]";
    Path archive = Files.createTempFile("image", ".tar");
    try {
      try (TarArchiveOutputStream tar =
          new TarArchiveOutputStream(Files.newOutputStream(archive))) {
        put(tar, "manifest.json", manifest.getBytes(StandardCharsets.UTF_8));
        put(tar, "config.json", config.getBytes(StandardCharsets.UTF_8));
        put(tar, "base.tar.gz", base);
        put(tar, "top.tar.gz", top);
      }
      Containerizer registry =
          Containerizer.to(RegistryImage.named(args[1])).setAllowInsecureRegistries(true);
      String pushed =
          Jib.from(TarImage.at(archive))
              .setPlatforms(Set.of(new Platform("amd64", "windows")))
              .containerize(registry)
              .getDigest()
              .toString();
      System.out.println(WindowsScratch.DIGEST + "\n" + digest(top) + "\n" + pushed);
    } finally {
      Files.delete(archive);
    }
  }
}
