import { type FormEvent, useEffect, useId, useRef, useState } from "react";
import { asProblem, type Problem } from "../../../src/api/problem.js";
import { KeyField } from "./KeyField.js";
import { hostOf, type KeyShape, masked, type ProviderShape, removeKeys, saveKey, test } from "./keys.js";
import { useClient } from "./Provider.js";
import { Failed } from "./States.js";

const GOOD = new Set(["connected"]);
const BAD = new Set(["refused", "failing", "expired"]);

/** One provider: how it is, its keys, and the field for a key where there is none or it is to be replaced. */
export function ProviderPanel({
  provider,
  keys,
  changed,
}: {
  provider: ProviderShape;
  keys: readonly KeyShape[];
  changed: (act: "saved" | "removed") => void;
}) {
  const client = useClient();
  const panel = useRef<HTMLElement>(null);
  const [replacing, setReplacing] = useState(false);
  const [said, setSaid] = useState("");
  const [problem, setProblem] = useState<Problem | null>(null);
  const [busy, setBusy] = useState(false);
  const takesKey = provider.kind === "cloud" || provider.key_required;
  const asks = takesKey && (keys.length === 0 || replacing);
  const mark = GOOD.has(provider.state) ? "good" : BAD.has(provider.state) ? "bad" : "quiet";
  const act = async (doing: string, work: () => Promise<string>): Promise<boolean> => {
    setBusy(true);
    setProblem(null);
    setSaid(doing);
    try {
      setSaid(await work());
      return true;
    } catch (error) {
      setSaid("");
      setProblem(asProblem(error));
      return false;
    } finally {
      setBusy(false);
    }
  };
  const save = async (key: string) => {
    const doing = `Asking ${hostOf(provider)} whether it takes the key…`;
    if (!(await act(doing, () => saveKey(client, provider.id, key)))) return false;
    setReplacing(false);
    panel.current?.focus();
    client.changed();
    changed("saved");
    return true;
  };
  const remove = async () => {
    const gone = keys.map(masked).join(", ");
    const done = await act("Removing the key…", async () => {
      await removeKeys(client, provider.id);
      return `Removed: ${gone}.`;
    });
    if (!done) return;
    panel.current?.focus();
    client.changed();
    changed("removed");
  };
  const look = () =>
    act(`Asking ${hostOf(provider)}…`, async () => {
      const found = await test(client, provider);
      client.changed();
      return found.says;
    });
  return (
    <section className="ownkey-panel" aria-label={provider.name} ref={panel} tabIndex={-1}>
      <p className="ownkey-status" data-state={mark}>
        {provider.says}
      </p>
      <Fields provider={provider} />
      {keys.length > 0 && <Keys provider={provider} keys={keys} busy={busy} test={look} remove={remove} />}
      {keys.length > 0 && takesKey && !replacing && (
        <button type="button" onClick={() => setReplacing(true)} disabled={busy}>
          Replace the key
        </button>
      )}
      {asks && (
        <KeyForm
          provider={provider}
          host={client.host}
          busy={busy}
          save={save}
          cancel={keys.length > 0 ? () => setReplacing(false) : undefined}
        />
      )}
      {!takesKey && keys.length === 0 && (
        <>
          <p className="ownkey-quiet">It needs no key. Prompts go to {hostOf(provider)} and no further.</p>
          <button type="button" onClick={look} disabled={busy}>
            Test the connection
          </button>
        </>
      )}
      <p className="ownkey-said" role="status">
        {said}
      </p>
      {problem && <Failed problem={problem} />}
    </section>
  );
}

/** What is set beside the key, by whoever keeps Ownkey; the same for all its users. */
function Fields({ provider }: { provider: ProviderShape }) {
  const shown = provider.fields_wanted.filter((one) => one.value !== null || one.required);
  if (shown.length === 0) return null;
  return (
    <dl className="ownkey-fields">
      {shown.map((field) => (
        <div key={field.name}>
          <dt>{field.name.replaceAll("_", " ")}</dt>
          <dd>{field.value ?? "Not set yet: whoever keeps this Ownkey has to."}</dd>
        </div>
      ))}
    </dl>
  );
}

function Keys({
  provider,
  keys,
  busy,
  test,
  remove,
}: {
  provider: ProviderShape;
  keys: readonly KeyShape[];
  busy: boolean;
  test: () => void;
  remove: () => void;
}) {
  const [asking, setAsking] = useState(false);
  const no = useRef<HTMLButtonElement>(null);
  const stored = keys.filter((one) => one.source === "stored");
  useEffect(() => {
    if (asking) no.current?.focus();
  }, [asking]);
  return (
    <>
      <ul className="ownkey-keys" aria-label={`Keys of ${provider.name}`}>
        {keys.map((key) => (
          <li key={key.id}>
            <code>{masked(key)}</code> <span className="ownkey-quiet">{key.why ?? stateOf(key)}</span>
          </li>
        ))}
      </ul>
      <div className="ownkey-acts">
        <button type="button" onClick={test} disabled={busy}>
          Test
        </button>
        {stored.length > 0 && (
          <button type="button" onClick={() => setAsking(true)} disabled={busy} aria-expanded={asking}>
            Remove
          </button>
        )}
      </div>
      {asking && (
        <section className="ownkey-ask" aria-label="Remove">
          <p>
            Remove {stored.map(masked).join(", ")}? What uses {provider.name} stops working, until you add a key again.
          </p>
          <div className="ownkey-acts">
            <button type="button" className="ownkey-danger" onClick={remove} disabled={busy}>
              Remove the key
            </button>
            <button type="button" ref={no} onClick={() => setAsking(false)}>
              Keep it
            </button>
          </div>
        </section>
      )}
    </>
  );
}

function stateOf(key: KeyShape): string {
  if (key.source !== "stored") return "given by whoever keeps this Ownkey";
  if (key.state !== "ready") return key.state;
  return key.valid ? "tested, works" : "not tested yet";
}

/** What is typed stands in its field alone, and nowhere once it was kept. */
function KeyForm({
  provider,
  host,
  busy,
  save,
  cancel,
}: {
  provider: ProviderShape;
  host: string;
  busy: boolean;
  save: (key: string) => Promise<boolean>;
  cancel?: () => void;
}) {
  const id = useId();
  const field = useRef<HTMLInputElement>(null);
  const submit = async (event: FormEvent) => {
    event.preventDefault();
    const saved = await save(field.current?.value ?? "");
    if (field.current === null) return;
    if (saved) field.current.value = "";
    else field.current.focus();
  };
  return (
    <form onSubmit={submit} autoComplete="off" aria-label={`A key for ${provider.name}`} aria-describedby={id}>
      <KeyField field={field} provider={provider} busy={busy} />
      <p className="ownkey-notice" id={id}>
        Your key goes to Ownkey at {host}. Your key is encrypted there and goes only to {provider.name} (
        {hostOf(provider)}). It is not shown again.
      </p>
      <div className="ownkey-acts">
        <button type="submit" className="ownkey-main" disabled={busy}>
          Test and save
        </button>
        {cancel && (
          <button type="button" onClick={cancel} disabled={busy}>
            Cancel
          </button>
        )}
      </div>
    </form>
  );
}
