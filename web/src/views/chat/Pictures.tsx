import { useEffect, useState } from "react";
import classes from "./Chat.module.css";

/** Pictures of an answer: those that came within it are shown, those that lie elsewhere are a link. */
export function Pictures({ urls }: { urls: readonly string[] }) {
  return urls.map((url, at) =>
    url.startsWith("data:image/") ? (
      // biome-ignore lint/suspicious/noArrayIndexKey: they only ever grow at the end
      <Picture key={at} data={url} at={at + 1} />
    ) : (
      <a key={url} href={url} target="_blank" rel="noopener noreferrer">
        Picture {at + 1}
      </a>
    ),
  );
}

/** The page's policy shows no data: addresses, so the bytes get one of the browser's own. */
function Picture({ data, at }: { data: string; at: number }) {
  const [url, setUrl] = useState<string | null>(null);
  useEffect(() => {
    const made = urlOf(data);
    setUrl(made);
    return () => {
      if (made) URL.revokeObjectURL(made);
    };
  }, [data]);
  return url ? (
    <img src={url} alt={`Number ${at} of the answer`} className={classes.picture} />
  ) : (
    <span className="quiet">A picture that cannot be read.</span>
  );
}

function urlOf(data: string): string | null {
  const [head = "", body = ""] = data.split(",", 2);
  try {
    const bytes = Uint8Array.from(atob(body), (letter) => letter.charCodeAt(0));
    return URL.createObjectURL(new Blob([bytes], { type: head.slice(5).split(";")[0] }));
  } catch {
    return null;
  }
}
