import { type KeyboardEvent, useId, useRef, useState } from "react";
import { useAnswer } from "./answer.js";
import { type Held, type ProviderShape, readHeld } from "./keys.js";
import { ProviderPanel } from "./ProviderPanel.js";
import { Failed, Waiting } from "./States.js";

export interface ProviderChange {
  readonly act: "chosen" | "saved" | "removed";
  readonly provider: string;
}

const KINDS = [
  ["cloud", "Cloud"],
  ["local", "Local"],
] as const;
type Kind = (typeof KINDS)[number][0];

/** The user's own keys: which provider, its key, tested before it is kept. */
export function ProviderSettings({ onChange }: { onChange?: (change: ProviderChange) => void }) {
  const held = useAnswer(readHeld);
  return (
    <section className="ownkey" aria-label="Providers">
      {held.data ? (
        <Tabs held={held.data} changed={onChange} />
      ) : (
        held.problem === null && <Waiting what="Looking up providers…" />
      )}
      {held.problem && <Failed problem={held.problem} again={held.again} />}
    </section>
  );
}

function Tabs({ held, changed }: { held: Held; changed?: (change: ProviderChange) => void }) {
  const id = useId();
  const [kind, setKind] = useState<Kind>("cloud");
  const tabs = useRef<Partial<Record<Kind, HTMLButtonElement | null>>>({});
  const step = (event: KeyboardEvent) => {
    if (event.key !== "ArrowLeft" && event.key !== "ArrowRight") return;
    const other = kind === "cloud" ? "local" : "cloud";
    setKind(other);
    tabs.current[other]?.focus();
  };
  return (
    <>
      <div role="tablist" aria-label="Where models run" className="ownkey-tabs">
        {KINDS.map(([one, name]) => (
          <button
            key={one}
            ref={(tab) => {
              tabs.current[one] = tab;
            }}
            type="button"
            role="tab"
            id={`${id}-${one}`}
            aria-selected={kind === one}
            aria-controls={`${id}-panel`}
            tabIndex={kind === one ? 0 : -1}
            onClick={() => setKind(one)}
            onKeyDown={step}
          >
            {name}
          </button>
        ))}
      </div>
      <div role="tabpanel" id={`${id}-panel`} aria-labelledby={`${id}-${kind}`}>
        <Choice key={kind} kind={kind} held={held} changed={changed} />
      </div>
    </>
  );
}

function Choice({ kind, held, changed }: { kind: Kind; held: Held; changed?: (change: ProviderChange) => void }) {
  const id = useId();
  const these = held.providers.filter((one) => one.kind === kind);
  const [chosen, setChosen] = useState<string | null>(null);
  const provider = these.find((one) => one.id === chosen) ?? these.find((one) => one.keys > 0) ?? these[0];
  if (provider === undefined) return <p className="ownkey-quiet">There is no {kind} provider here.</p>;
  const choose = (which: string) => {
    setChosen(which);
    changed?.({ act: "chosen", provider: which });
  };
  return (
    <>
      <div className="ownkey-field">
        <label htmlFor={id}>Provider</label>
        <select id={id} value={provider.id} onChange={(event) => choose(event.target.value)}>
          {these.map((one) => (
            <option key={one.id} value={one.id}>
              {named(one)}
            </option>
          ))}
        </select>
      </div>
      <ProviderPanel
        key={provider.id}
        provider={provider}
        keys={held.keys.filter((one) => one.provider === provider.id)}
        changed={(act) => {
          setChosen(provider.id);
          changed?.({ act, provider: provider.id });
        }}
      />
    </>
  );
}

function named(provider: ProviderShape): string {
  return provider.keys > 0 ? `${provider.name} (has a key)` : provider.name;
}
