import type { Shape } from "../../api/client";

/** A provider that a key can be entered for, of those that are there or of the gallery. */
export interface Place {
  id: string;
  name: string;
  /** Whether it is there already, and not in the gallery alone. */
  added: boolean;
  host: string;
  keyPage: string | null;
  begins: string;
  looksLike: string | null;
  /** Settings without which it cannot be asked, and that nobody has given. */
  wanted: readonly { name: string; help: string | null }[];
}

/** It has a free tier: https://ai.google.dev/gemini-api/docs/pricing. */
export const FIRST = "gemini";

/** Those in the cloud that want a key, the one with a free tier first; then those of the gallery. */
export function placesOf(
  providers: readonly Shape<"ProviderShape">[],
  gallery: readonly Shape<"GalleryOneShape">[],
): Place[] {
  const there = providers.filter((one) => one.kind === "cloud").map(ofProvider);
  const known = new Set(providers.map((one) => one.id));
  const more = gallery.filter((one) => one.kind === "cloud" && !one.added && !known.has(one.id)).map(ofGallery);
  const first = there.filter((one) => one.id === FIRST);
  return [...first, ...there.filter((one) => one.id !== FIRST), ...more];
}

function ofProvider(one: Shape<"ProviderShape">): Place {
  return {
    id: one.id,
    name: one.name,
    added: true,
    host: hostOf(one.endpoint),
    keyPage: one.key_page,
    begins: one.begins,
    looksLike: one.key_looks_like,
    wanted: one.fields_wanted.filter((field) => field.required && !field.value),
  };
}

function ofGallery(one: Shape<"GalleryOneShape">): Place {
  return {
    id: one.id,
    name: one.name,
    added: false,
    host: hostOf(one.base_url),
    keyPage: one.key_page,
    begins: "",
    looksLike: null,
    wanted: one.fields_wanted.filter((field) => field.required && !field.value),
  };
}

function hostOf(address: string): string {
  return /^\w+:\/\/([^/]+)/.exec(address)?.[1] ?? address;
}

/** What is odd about a key, before anybody is asked; null where nothing is. */
export function oddityOf(place: Place, key: string): string | null {
  const given = key.trim();
  if (given === "") return null;
  if (/\s/.test(given)) return "There is a space in it. Copy the key alone.";
  if (place.begins && !given.startsWith(place.begins.slice(0, given.length))) {
    return `${place.name} keys begin with ${place.begins}. Did you copy all of it, or another provider’s?`;
  }
  if (place.looksLike === null || given.length < 8 || fits(place.looksLike, given)) return null;
  return `This does not look like a whole ${place.name} key yet.`;
}

function fits(form: string, key: string): boolean {
  try {
    return new RegExp(form).test(key);
  } catch {
    return true;
  }
}
