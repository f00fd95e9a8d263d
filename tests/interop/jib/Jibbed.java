// SPDX-License-Identifier: Apache-2.0

import com.google.cloud.tools.jib.api.Containerizer;
import com.google.cloud.tools.jib.api.Jib;
import com.google.cloud.tools.jib.api.RegistryImage;
import com.google.cloud.tools.jib.api.buildplan.AbsoluteUnixPath;
import com.google.cloud.tools.jib.api.buildplan.FileEntriesLayer;
import com.google.cloud.tools.jib.api.buildplan.Platform;
import java.nio.file.Path;
import java.util.Set;

/**
 * Builds an image with jib-core: java Jibbed.java BASE FILE PATH TO FOLDER...
 *
 * <p>The file goes to a path in the image, and what follows are more folders of the image.
 */
final class Jibbed {
  public static void main(String[] args) throws Exception {
    FileEntriesLayer.Builder layer = FileEntriesLayer.builder().setName("app");
    for (int at = 4; at < args.length; at++) {
      layer.addEntry(Path.of(args[1]).toAbsolutePath().getParent(), AbsoluteUnixPath.get(args[at]));
    }
    layer.addEntry(Path.of(args[1]), AbsoluteUnixPath.get(args[2]));
    String digest =
        Jib.from(RegistryImage.named(args[0]))
            .setPlatforms(Set.of(new Platform("amd64", "windows")))
            .addFileEntriesLayer(layer.build())
            .setEntrypoint("hello.exe")
            .containerize(
                Containerizer.to(RegistryImage.named(args[3])).setAllowInsecureRegistries(true))
            .getDigest()
            .toString();
    System.out.println(digest);
  }
}
