// SPDX-License-Identifier: Apache-2.0

import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.io.UncheckedIOException;
import java.nio.file.Path;
import java.util.Set;
import winscratch.WindowsFiles;
import winscratch.WindowsFiles.Attribute;
import winscratch.WindowsFiles.Descriptor;
import winscratch.WindowsFiles.Entry;
import winscratch.WindowsFiles.FilesException;
import winscratch.WindowsFiles.Kind;
import winscratch.WindowsFiles.LayerWriter;
import winscratch.WindowsFiles.Times;

/** Says what comes of calls that go wrong, a line each: java Faults FOLDER, which holds a pipe. */
final class Faults {
  private interface Call {
    void make(LayerWriter layer) throws IOException;
  }

  private static final byte[] DATA = {1, 2, 3};

  /** Says what each call comes to, and how many bytes of the layer there are behind it. */
  private static void say(String what, int room, Call... calls) {
    ByteArrayOutputStream out = new ByteArrayOutputStream();
    OutputStream narrow =
        new OutputStream() {
          @Override
          public void write(int b) throws IOException {
            if (out.size() == room) {
              throw new IOException("full");
            }
            out.write(b);
          }
        };
    LayerWriter layer = new LayerWriter(narrow);
    StringBuilder said = new StringBuilder(what + ":");
    Exception first = null;
    for (Call call : calls) {
      try {
        call.make(layer);
        said.append(" ok");
      } catch (IOException | IllegalStateException e) {
        String code = e instanceof FilesException ? ((FilesException) e).reason().code() : null;
        String text = code != null ? code : e.getMessage().replace(' ', '-');
        said.append(first != null && e.getCause() == first ? " again" : " " + text);
        first = first == null ? e : first;
      }
      said.append(' ').append(out.size());
    }
    System.out.println(said);
  }

  public static void main(String[] args) {
    Call one = layer -> layer.add("a/b", DATA);
    Call other = layer -> layer.add("c", DATA);
    Call end = LayerWriter::finish;
    say("right", 1 << 20, one, other, end, end, one);
    say("refused", 1 << 20, one, layer -> layer.add("aux", DATA), other, end, end);
    say("repeated", 1 << 20, one, one, end);
    Entry three = new Entry(Kind.FILE, "x").withSize(3);
    say("short", 1 << 20, layer -> layer.add(three, new ByteArrayInputStream(DATA, 0, 2)), end);
    InputStream four = new ByteArrayInputStream(new byte[4]);
    say("long", 1 << 20, layer -> layer.add(three, four), end);
    System.out.println("left: " + left(four));
    Entry unsized = new Entry(Kind.FILE, "x");
    say("unsized", 1 << 20, layer -> layer.add(unsized, new ByteArrayInputStream(DATA)), end);
    Entry folder = new Entry(Kind.DIRECTORY, "x");
    say("no file", 1 << 20, layer -> layer.add(folder, new ByteArrayInputStream(DATA)), end);
    Entry longer = new Entry(Kind.FILE, "y").withSize(3);
    Call small = layer -> layer.add(longer, new byte[2]);
    say("bytes", 1 << 20, layer -> layer.add(unsized, DATA), small);
    say("none", 1 << 20, layer -> layer.add(three), end);
    say("empty", 1 << 20, layer -> layer.add(unsized), end);
    say("full", 5000, one, other, end);
    say("full at once", 0, one, end);
    InputStream drops =
        new InputStream() {
          private int left = 3;

          @Override
          public int read() {
            return left-- > 0 ? 'x' : -1;
          }

          @Override
          public int read(byte[] data, int start, int length) {
            int found = read();
            data[start] = (byte) found;
            return found < 0 ? -1 : 1;
          }
        };
    say("by drops", 1 << 20, layer -> layer.add(three, drops), end);
    InputStream broken =
        new InputStream() {
          @Override
          public int read() {
            throw new IllegalStateException("broken");
          }
        };
    say("broken", 1 << 20, layer -> layer.add(three, broken), other, end);
    say("a pipe", 1 << 20, layer -> layer.addTree("", Path.of(args[0])), end);
    say("no folder", 1 << 20, layer -> layer.addTree("", Path.of("/nowhere")), end);
    System.out.println(text("a\u0007\u202e\"b"));
    System.out.println(text("\u2028\u2029:"));
    System.out.println(text("x".repeat(201) + ":"));
    System.out.println(text(""));
    System.out.println(Descriptor.NONE.equals(Descriptor.of(new byte[0])));
    Entry whole = three.withAttributes(Set.of(Attribute.HIDDEN)).withTimes(Times.DEFAULT);
    System.out.println(whole);
    System.out.println(whole.equals(three) + " " + whole.withAttributes(Set.of()).equals(three));
    System.out.println(
        whole.withTimes(null).withAttributes(three.attributes()).equals(three)
            && whole.kind() == Kind.FILE
            && whole.path().equals("x")
            && whole.target().isEmpty()
            && unsized.size().isEmpty()
            && whole.descriptor().isEmpty()
            && whole.times().get().created().equals(Times.DEFAULT.modified()));
  }

  private static int left(InputStream data) {
    try {
      return data.readAllBytes().length;
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private static String text(String path) {
    try {
      WindowsFiles.header(new Entry(Kind.DIRECTORY, path));
      return "taken";
    } catch (FilesException e) {
      return e.path().equals(path) ? e.getMessage() : "another path";
    }
  }
}
