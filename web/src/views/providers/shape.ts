import type { Provider } from "./data";

/** What speaks against a key before it was asked about. `mere`: only that its form is unusual, so that one may ask all
 * the same; a key of another provider's is not sent to this one. */
export interface Doubt {
  says: string;
  mere: boolean;
}

/** By its form alone; the key is not repeated. */
export function doubtOf(typed: string, provider: Provider, others: readonly Provider[]): Doubt | null {
  const key = typed.trim();
  if (key === "") return null;
  if (/\s/.test(key)) return { says: "A key has no blanks or line ends within. Copy it again.", mere: false };
  const shape = provider.key_looks_like;
  const fits = shape === null || matches(shape, key);
  const whose = others.find(
    (one) =>
      one.id !== provider.id &&
      one.begins.length > 3 &&
      one.begins !== provider.begins &&
      // Where a key has this provider's form too, only one whose keys begin as these do and go on counts.
      (!fits || (provider.begins !== "" && one.begins.startsWith(provider.begins))) &&
      key.startsWith(one.begins) &&
      one.key_looks_like !== null &&
      matches(one.key_looks_like, key),
  );
  if (whose) return { says: `This looks like a key of ${whose.name}.`, mere: false };
  if (fits) return null;
  if (provider.begins && !key.startsWith(provider.begins)) {
    return { says: `This does not begin with ${provider.begins}. Check that you copied all of it.`, mere: true };
  }
  return {
    says: `This does not have the form of ${provider.name}'s keys. Check that you copied all of it.`,
    mere: true,
  };
}

/** A form that a browser does not understand speaks against nothing. */
function matches(shape: string, key: string): boolean {
  try {
    return new RegExp(shape, "u").test(key);
  } catch {
    return true;
  }
}
