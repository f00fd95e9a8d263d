// SPDX-License-Identifier: Apache-2.0

import java.lang.reflect.InvocationTargetException;

/** Prints what the methods of each class return or throw, called twice: java Damaged CLASS... */
final class Damaged {
  private static final String[] METHODS = {"blob", "openCompressed", "layer", "open", "verify"};

  private static String outcome(Class<?> layer, String method) throws ReflectiveOperationException {
    try {
      layer.getMethod(method).invoke(null);
      return "returns";
    } catch (InvocationTargetException e) {
      return e.getCause().getClass().getSimpleName();
    }
  }

  public static void main(String[] args) throws Exception {
    for (String name : args) {
      StringBuilder line = new StringBuilder(name + ":");
      for (String method : METHODS) {
        Class<?> layer = Class.forName(name);
        String first = outcome(layer, method);
        line.append(' ').append(first.equals(outcome(layer, method)) ? first : "changes");
      }
      System.out.println(line);
    }
  }
}
