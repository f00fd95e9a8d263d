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

  /** Saves what a stream has, which a view must have, too, as often as it is asked for. */
  private static void save(Path file, Class<?> layer, String open, String view, String size)
      throws Exception {
    byte[] data = ((InputStream) layer.getMethod(open).invoke(null)).readAllBytes();
    for (int i = 0; i < 2; i++) {
      ByteBuffer found = (ByteBuffer) layer.getMethod(view).invoke(null);
      if (!found.isReadOnly() || !found.equals(ByteBuffer.wrap(data))) {
        throw new IllegalStateException(view);
      }
      found.position(found.limit());
    }
    if (data.length != layer.getField(size).getInt(null)) {
      throw new IllegalStateException(size);
    }
    save(file, ByteBuffer.wrap(data));
  }

  private static void save(Path file, ByteBuffer data) throws IOException {
    try (var out =
        Files.newByteChannel(file, StandardOpenOption.CREATE_NEW, StandardOpenOption.WRITE)) {
      out.write(data);
    }
  }
}
