import type { Shape } from "../../api/client";
import type { Variable } from "./known";

/** A file as a run takes it; `data` is base64. */
export type GivenFile = Shape<"FileShape">;

/** What a run is given, by the names of its fields: texts, and files. */
export interface Giving {
  values: Readonly<Record<string, string>>;
  files: Readonly<Record<string, GivenFile>>;
}

export const NOTHING: Giving = { values: {}, files: {} };
export const MOST_BYTES = 16 * 1024 * 1024;

const ACCEPTS: Readonly<Record<string, string>> = {
  text: ".txt,.md,.html,.srt,.vtt,.diff,.patch,text/*",
  csv: ".csv,.tsv",
  xlsx: ".xlsx",
  pdf: ".pdf",
  image: "image/png,image/jpeg,image/gif,image/webp",
};

/** What a file dialog offers for a field; nothing where it takes any. */
export function accepted(variable: Variable): string | undefined {
  return variable.takes.length === 0 ? undefined : variable.takes.map((kind) => ACCEPTS[kind] ?? "").join(",");
}

/** Whether it may be typed as well as chosen. */
export function isTyped(variable: Variable): boolean {
  return variable.kind === "text" || variable.takes.some((kind) => kind === "text" || kind === "csv");
}

/** Whether everything is given that has to be. */
export function isReady(variables: Readonly<Record<string, Variable>>, giving: Giving): boolean {
  const { values, files } = sent(variables, giving);
  return Object.entries(variables).every(([name, one]) => one.default !== null || name in files || name in values);
}

/** As it is sent: what was left empty is left out, so that defaults hold, and so is what there is no field for any
 * more. */
export function sent(variables: Readonly<Record<string, Variable>>, giving: Giving) {
  const values: Record<string, string> = {};
  const files: Record<string, GivenFile> = {};
  for (const [name, one] of Object.entries(variables)) {
    const [text, file] = [giving.values[name], giving.files[name]];
    if (file && one.kind === "file") files[name] = file;
    else if (text && isTyped(one)) values[name] = text;
  }
  return { values, files };
}

export function readFile(file: File): Promise<GivenFile> {
  return new Promise((done, failed) => {
    const reader = new FileReader();
    reader.onerror = () => failed(new Error(`${file.name} could not be read.`));
    reader.onload = () => done({ name: file.name, data: String(reader.result).replace(/^[^,]*,/, "") });
    reader.readAsDataURL(file);
  });
}
