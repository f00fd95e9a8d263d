// SPDX-License-Identifier: Apache-2.0

import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.util.zip.GZIPInputStream;
import org.apache.commons.compress.archivers.tar.TarArchiveEntry;
import org.apache.commons.compress.archivers.tar.TarArchiveInputStream;
import winscratch.WindowsFiles;
import winscratch.WindowsFiles.Entry;
import winscratch.WindowsFiles.Kind;
import winscratch.WindowsScratch;

/** Lists with commons-compress what is in the layer, its blob, and a layer on top. */
final class Listed {
  private static void list(String what, InputStream layer) throws IOException {
    try (TarArchiveInputStream tar = new TarArchiveInputStream(layer)) {
      for (TarArchiveEntry entry = tar.getNextEntry(); entry != null; entry = tar.getNextEntry()) {
        String link = entry.getLinkName().isEmpty() ? "" : " -> " + entry.getLinkName();
        System.out.printf("%s %s %d%s%n", what, entry.getName(), tar.readAllBytes().length, link);
      }
    }
  }

  public static void main(String[] args) throws IOException {
    list("layer", WindowsScratch.open());
    list("blob", new GZIPInputStream(WindowsScratch.openCompressed()));
    ByteArrayOutputStream out = new ByteArrayOutputStream();
    WindowsFiles.LayerWriter layer = new WindowsFiles.LayerWriter(out);
    layer.add("\u00c4/" + "n".repeat(120), new byte[513]);
    layer.add(new Entry(Kind.FILE_LINK, "link").withTarget("..\\x"));
    layer.finish();
    list("top", new ByteArrayInputStream(out.toByteArray()));
  }
}
