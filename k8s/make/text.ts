/** YAML as text: what people apply is also read, so its comments and its order are written here. */

const LINE_CHARS_MAX = 100;

/** Every line of `text`, further right. Empty lines stay empty. */
export function indent(text: string, columns: number): string {
  return text.replace(/^(?=.)/gm, " ".repeat(columns));
}

/** One paragraph as comment lines, wrapped for a place `columns` from the left. */
export function comment(text: string, columns = 0): string {
  const room = LINE_CHARS_MAX - columns;
  const lines = ["#"];
  for (const word of text.split(/\s+/)) {
    const longer = `${lines.at(-1)} ${word}`;
    if (longer.length <= room) lines[lines.length - 1] = longer;
    else lines.push(`# ${word}`);
  }
  return `${lines.join("\n")}\n`;
}

/** Texts of one document each, as one file. */
export function documents(...texts: readonly string[]): string {
  return texts.join("---\n");
}
