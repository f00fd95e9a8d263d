// SPDX-License-Identifier: Apache-2.0

import java.io.BufferedOutputStream;
import java.io.BufferedReader;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.OutputStream;
import java.math.BigInteger;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.EnumSet;
import java.util.List;
import java.util.Set;
import winscratch.WindowsFiles;
import winscratch.WindowsFiles.Attribute;
import winscratch.WindowsFiles.Descriptor;
import winscratch.WindowsFiles.Entry;
import winscratch.WindowsFiles.FilesException;
import winscratch.WindowsFiles.Kind;
import winscratch.WindowsFiles.LayerWriter;
import winscratch.WindowsFiles.Times;

/**
 * Makes layers on top of what it reads, and answers with their bytes:
 * tests/helpers/layer_vectors.py has the words. With "tree FOLDER PATH own|one" it writes the layer
 * of a folder.
 */
final class Layers {
  private static final int[] SETTABLE = {1, 2, 4, 32}; // in the order of the enumeration

  public static void main(String[] args) throws IOException {
    OutputStream out = new BufferedOutputStream(System.out, 1 << 20);
    if (args.length == 4) {
      LayerWriter layer = new LayerWriter(out);
      layer.addTree(args[2], Path.of(args[1]), Descriptor.USERS_READ, args[3].equals("own"));
      layer.finish();
    } else {
      answerAll(out);
    }
    out.flush();
  }

  private static void answerAll(OutputStream out) throws IOException {
    var in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.US_ASCII));
    List<String[]> asked = new ArrayList<>();
    for (String line = in.readLine(); line != null; line = in.readLine()) {
      if (!line.equals("end")) {
        asked.add(line.split(" "));
        continue;
      }
      if (asked.get(0)[0].equals("calls")) {
        answerCalls(out, asked.get(0), asked.subList(1, asked.size()));
      } else {
        answer(out, asked.get(0), asked.subList(1, asked.size()));
      }
      asked.clear();
    }
  }

  private static void answer(OutputStream out, String[] first, List<String[]> entries)
      throws IOException {
    ByteArrayOutputStream made = new ByteArrayOutputStream();
    int done = 0;
    try {
      if (first[0].equals("header")) {
        made.write(WindowsFiles.header(entry(entries.get(0))));
      } else {
        LayerWriter layer =
            new LayerWriter(made, descriptor(first[1]), times(first, 2, Times.DEFAULT));
        for (String[] words : entries) {
          add(layer, words);
          done++;
        }
        layer.finish();
      }
    } catch (FilesException e) {
      out.write(ascii("error " + e.reason().code() + " " + done + "\n"));
      return;
    }
    out.write(ascii("ok " + made.size() + "\n"));
    made.writeTo(out);
  }

  /** Answers with the result of each call, and what is written then. */
  private static void answerCalls(OutputStream out, String[] first, List<String[]> calls)
      throws IOException {
    ByteArrayOutputStream made = new ByteArrayOutputStream();
    LayerWriter layer = new LayerWriter(made, descriptor(first[1]), times(first, 2, Times.DEFAULT));
    StringBuilder said = new StringBuilder("calls");
    for (String[] words : calls) {
      try {
        if (words[0].equals("close")) {
          layer.finish();
        } else {
          add(layer, words);
        }
        said.append(" -");
      } catch (FilesException e) {
        said.append(' ').append(e.reason().code());
      } catch (IOException | RuntimeException e) {
        said.append(" other");
      }
    }
    out.write(ascii(said + " " + made.size() + "\n"));
    made.writeTo(out);
  }

  private static void add(LayerWriter layer, String[] words) throws IOException {
    byte[] data = new byte[words[0].equals("file") ? Integer.parseInt(words[3]) : 0];
    Arrays.fill(data, (byte) 'x');
    layer.add(entry(words), new ByteArrayInputStream(data));
  }

  private static Entry entry(String[] words) {
    Kind kind = Kind.valueOf(words[0].toUpperCase().replace('-', '_'));
    return new Entry(kind, text(words[1]))
        .withTarget(text(words[2]))
        .withSize(Long.parseLong(words[3]))
        .withAttributes(attributes(Integer.parseUnsignedInt(words[4])))
        .withDescriptor(descriptor(words[5]))
        .withTimes(times(words, 6, null));
  }

  /** Returns the attributes of some bits; for others, a set that is refused for any kind. */
  private static Set<Attribute> attributes(int bits) {
    switch (bits) {
      case 0:
        return Set.of();
      case 128:
        return Set.of(Attribute.NORMAL);
      default:
        Set<Attribute> found = EnumSet.noneOf(Attribute.class);
        for (int i = 0; i < SETTABLE.length; i++) {
          if ((bits & SETTABLE[i]) != 0) {
            found.add(Attribute.values()[i]);
          }
        }
        boolean known = (bits & ~Arrays.stream(SETTABLE).sum()) == 0;
        return known ? found : EnumSet.of(Attribute.NORMAL, Attribute.HIDDEN);
    }
  }

  private static byte[] ascii(String text) {
    return text.getBytes(StandardCharsets.US_ASCII);
  }

  private static byte[] bytes(String word) {
    byte[] found = new byte[word.length() / 2];
    for (int i = 0; i < found.length; i++) {
      found[i] = (byte) Integer.parseInt(word.substring(2 * i + 1, 2 * i + 3), 16);
    }
    return found;
  }

  /** Returns a text; bytes that are no UTF-8 become a surrogate that stands alone. */
  private static String text(String word) {
    try {
      return StandardCharsets.UTF_8
          .newDecoder()
          .decode(java.nio.ByteBuffer.wrap(bytes(word)))
          .toString();
    } catch (java.nio.charset.CharacterCodingException e) {
      return "\ud800";
    }
  }

  private static Descriptor descriptor(String word) {
    switch (word) {
      case "=":
        return null;
      case "users-read":
        return Descriptor.USERS_READ;
      case "user-owned":
        return Descriptor.USER_OWNED;
      case "admin-owned":
        return Descriptor.ADMIN_OWNED;
      case "none":
        return Descriptor.NONE;
      default: // a name that there is not is as no bytes
        return Descriptor.of(word.startsWith(":") ? bytes(word) : new byte[0]);
    }
  }

  private static Times times(String[] words, int at, Times otherwise) {
    if (words[at].equals("=")) {
      return otherwise;
    }
    Instant[] four = new Instant[4];
    for (int i = 0; i < 4; i++) {
      BigInteger unit = BigInteger.valueOf(1_000_000_000);
      BigInteger number = new BigInteger(words[at + i]);
      BigInteger fraction = number.mod(unit);
      four[i] =
          Instant.ofEpochSecond(number.subtract(fraction).divide(unit).longValueExact())
              .plusNanos(fraction.longValueExact());
    }
    return Times.of(four[0], four[1], four[2], four[3]);
  }
}
