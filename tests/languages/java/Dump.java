// SPDX-License-Identifier: Apache-2.0

import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;

/**
 * Writes what a module holds into a folder: java Dump.java CLASS FOLDER. Of tests alone: it
 * reflects.
 */
final class Dump {
  public static void main(String[] args) throws Exception {
    Class<?> layer = Class.forName(args[0]);
    layer.getMethod("verify").invoke(null);
    String name = (String) layer.getField("NAME").get(null);
    Path folder = Path.of(args[1]);
    save(folder.resolve(name + ".tar"), layer, "open", "layer", "LAYER_SIZE");
    save(folder.resolve(name + ".tar.gz"), layer, "openCompressed", "blob", "BLOB_SIZE");
    for (var method : layer.getMethods()) {
      if (method.getName().equals("bcd")) {
        save(folder.resolve(name + ".bcd"), (ByteBuffer) method.invoke(null));
      }
    }
  }

  /** Saves a view, which nobody can write to or move for others, and what a stream has. */
  private static void save(Path file, Class<?> layer, String open, String view, String size)
      throws Exception {
    ByteBuffer first = (ByteBuffer) layer.getMethod(view).invoke(null);
    if (!first.isReadOnly() || first.remaining() != layer.getField(size).getInt(null)) {
      throw new IllegalStateException(view);
    }
    first.position(first.limit());
    save(file, (ByteBuffer) layer.getMethod(view).invoke(null));
    byte[] data = ((InputStream) layer.getMethod(open).invoke(null)).readAllBytes();
    save(file.resolveSibling(file.getFileName() + ".opened"), ByteBuffer.wrap(data));
  }

  private static void save(Path file, ByteBuffer data) throws IOException {
    try (var out =
        Files.newByteChannel(file, StandardOpenOption.CREATE_NEW, StandardOpenOption.WRITE)) {
      out.write(data);
    }
  }
}
