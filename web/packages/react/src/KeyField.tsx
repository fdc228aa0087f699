import { type RefObject, useId, useState } from "react";
import type { ProviderShape } from "./keys.js";

export function KeyField({
  field,
  provider,
  busy,
}: {
  field: RefObject<HTMLInputElement | null>;
  provider: ProviderShape;
  busy: boolean;
}) {
  const id = useId();
  const [shown, setShown] = useState(false);
  return (
    <div className="ownkey-field">
      <label htmlFor={id}>API key</label>
      <div className="ownkey-key">
        <input
          id={id}
          ref={field}
          type={shown ? "text" : "password"}
          aria-describedby={provider.begins ? `${id}-hint` : undefined}
          autoComplete="off"
          autoCapitalize="off"
          spellCheck={false}
          data-1p-ignore
          data-lpignore="true"
          maxLength={8_000}
          readOnly={busy}
          required
        />
        <button type="button" onClick={() => setShown(!shown)} aria-label={shown ? "Hide the key" : "Show the key"}>
          {shown ? "Hide" : "Show"}
        </button>
      </div>
      {provider.begins && (
        <p className="ownkey-quiet" id={`${id}-hint`}>
          {provider.name}'s keys begin with {provider.begins}
        </p>
      )}
      {provider.key_page && (
        <a href={provider.key_page} target="_blank" rel="noopener noreferrer">
          Where do I find this?
        </a>
      )}
    </div>
  );
}
