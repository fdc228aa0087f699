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
  return Object.entries(variables).every(
    ([name, one]) => one.default !== null || name in giving.files || (giving.values[name] ?? "") !== "",
  );
}

/** As it is sent: what was left empty is left out, so that defaults hold. */
export function sent(giving: Giving): { values: Record<string, string>; files: Record<string, GivenFile> } {
  const filled = Object.entries(giving.values).filter(([name, text]) => text !== "" && !(name in giving.files));
  return { values: Object.fromEntries(filled), files: { ...giving.files } };
}

export function readFile(file: File): Promise<GivenFile> {
  return new Promise((done, failed) => {
    const reader = new FileReader();
    reader.onerror = () => failed(new Error(`${file.name} could not be read.`));
    reader.onload = () => done({ name: file.name, data: String(reader.result).replace(/^[^,]*,/, "") });
    reader.readAsDataURL(file);
  });
}
