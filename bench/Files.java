// SPDX-License-Identifier: Apache-2.0

import java.io.IOException;
import java.io.OutputStream;
import java.lang.management.ManagementFactory;
import java.util.ArrayList;
import java.util.List;
import org.apache.commons.compress.archivers.tar.TarArchiveEntry;
import org.apache.commons.compress.archivers.tar.TarArchiveOutputStream;
import winscratch.WindowsFiles;

/**
 * Writes many small files with the same records to nowhere, and prints the seconds of processor
 * time that it took, the compiler's included: java Files ours|theirs NUMBER ROUNDS
 *
 * <p>Of several rounds, the last is measured: a program that has just started is mostly compiled.
 */
final class Files {
  private static final byte[] DATA = "x".repeat(100).getBytes();
  private static final String DESCRIPTOR =
      "AQAEgBQAAAAkAAAAAAAAADAAAAABAgAAAAAABSAAAAAgAgAAAQEAAAAAAAUSAAAAAgBMAAMAAAAAABgA/wEfAAECAAAAAAA"
          + "FIAAAACACAAAAABQA/wEfAAEBAAAAAAAFEgAAAAAAGACpABIAAQIAAAAAAAUgAAAAIQIAAA==";

  private static void ours(List<String> paths) throws IOException {
    WindowsFiles.LayerWriter layer = new WindowsFiles.LayerWriter(OutputStream.nullOutputStream());
    for (String path : paths) {
      layer.add(path, DATA);
    }
    layer.finish();
  }

  private static void theirs(List<String> paths) throws IOException {
    try (TarArchiveOutputStream tar =
        new TarArchiveOutputStream(OutputStream.nullOutputStream(), 512, "UTF-8")) {
      for (String path : paths) {
        TarArchiveEntry entry = new TarArchiveEntry("Files/" + path);
        entry.setSize(DATA.length);
        entry.setMode(0644);
        entry.setModTime(315619200000L);
        entry.addPaxHeader("LIBARCHIVE.creationtime", "315619200");
        entry.addPaxHeader("MSWINDOWS.fileattr", "32");
        entry.addPaxHeader("MSWINDOWS.rawsd", DESCRIPTOR);
        entry.addPaxHeader("atime", "315619200");
        entry.addPaxHeader("ctime", "315619200");
        tar.putArchiveEntry(entry);
        tar.write(DATA);
        tar.closeArchiveEntry();
      }
    }
  }

  public static void main(String[] args) throws IOException {
    List<String> paths = new ArrayList<>();
    for (int i = 0; i < Integer.parseInt(args[1]); i++) {
      paths.add(String.format("app/dir%d/file%06d.txt", i / 1000, i));
    }
    var system =
        (com.sun.management.OperatingSystemMXBean) ManagementFactory.getOperatingSystemMXBean();
    long taken = 0;
    for (int round = Integer.parseInt(args[2]); round > 0; round--) {
      long before = system.getProcessCpuTime();
      if (args[0].equals("ours")) {
        ours(paths);
      } else {
        theirs(paths);
      }
      taken = system.getProcessCpuTime() - before;
    }
    System.out.println(taken / 1e9);
  }
}
