import { type KeyboardEvent, useEffect, useId, useMemo, useRef, useState } from "react";
import { asProblem, type Problem } from "../../../src/api/problem.js";
import { useAnswer } from "./answer.js";
import { contextSays, found, type Model, priceSays, readModels, refreshModels } from "./models.js";
import { useClient } from "./Provider.js";
import { Failed, Waiting } from "./States.js";

const MOST = 100;
const NONE: readonly Model[] = [];

/** Which model is asked: `provider/model`. A combobox, as the ARIA Authoring Practices Guide describes it. */
export function ModelSelector({
  value = null,
  onChange,
  label = "Model",
}: {
  value?: string | null;
  onChange?: (target: string, model: Model) => void;
  label?: string;
}) {
  const client = useClient();
  const models = useAnswer(readModels);
  const [asking, setAsking] = useState(false);
  const [said, setSaid] = useState("");
  const [problem, setProblem] = useState<Problem | null>(null);
  const refresh = async () => {
    setAsking(true);
    setProblem(null);
    setSaid("Asking your providers for their models…");
    try {
      const wrong = await refreshModels(client, models.data ?? []);
      setSaid(wrong || "The models are up to date.");
      models.again();
    } catch (error) {
      setSaid("");
      setProblem(asProblem(error));
    } finally {
      setAsking(false);
    }
  };
  const wrong = problem ?? models.problem;
  return (
    <div className="ownkey ownkey-models">
      {models.data === null && wrong === null && <Waiting what="Looking up models…" />}
      {models.data && (
        <>
          <Combobox label={label} models={models.data} value={value} chosen={onChange} />
          <button type="button" onClick={refresh} disabled={asking}>
            Refresh
          </button>
          {models.data.length === 0 && (
            <p className="ownkey-quiet">There is no model to ask yet. Add a provider's key first.</p>
          )}
        </>
      )}
      <p className="ownkey-said" role="status">
        {said}
      </p>
      {wrong && <Failed problem={wrong} again={problem ? refresh : models.again} />}
    </div>
  );
}

function Combobox({
  label,
  models,
  value,
  chosen,
}: {
  label: string;
  models: readonly Model[];
  value: string | null;
  chosen?: (target: string, model: Model) => void;
}) {
  const id = useId();
  const list = useRef<HTMLDivElement>(null);
  /** What is typed; null while nothing is looked for. */
  const [typed, setTyped] = useState<string | null>(null);
  const [open, setOpen] = useState(false);
  const [at, setAt] = useState(-1);
  const current = models.find((one) => one.target === value);
  const all = useMemo(() => (typed ? models.filter((one) => found(one, typed)) : models), [models, typed]);
  const shown = open ? all.slice(0, MOST) : NONE;
  const active = shown[at];
  useEffect(() => {
    if (at >= 0) list.current?.querySelector('[aria-selected="true"]')?.scrollIntoView({ block: "nearest" });
  }, [at]);
  const close = () => {
    setOpen(false);
    setTyped(null);
    setAt(-1);
  };
  const show = (where: number) => {
    setOpen(true);
    setAt(where);
  };
  const choose = (model: Model) => {
    close();
    chosen?.(model.target, model);
  };
  const step = (by: number) => {
    const many = Math.min(all.length, MOST);
    if (!open) show(Math.max(0, current ? all.slice(0, MOST).indexOf(current) : by > 0 ? 0 : many - 1));
    else if (many > 0) setAt((at + by + (at < 0 && by < 0 ? 1 : 0) + many) % many);
  };
  const press = (event: KeyboardEvent) => {
    if (event.nativeEvent.isComposing) return;
    if (event.key === "ArrowDown") step(1);
    else if (event.key === "ArrowUp") step(-1);
    else if (event.key === "Enter" && active) choose(active);
    else if (event.key === "Escape" && open) close();
    else return;
    event.preventDefault();
  };
  return (
    <div className="ownkey-field ownkey-combobox">
      <label htmlFor={id}>{label}</label>
      <input
        id={id}
        role="combobox"
        aria-expanded={open}
        aria-controls={`${id}-list`}
        aria-autocomplete="list"
        aria-activedescendant={active ? `${id}-${at}` : undefined}
        aria-describedby={current ? `${id}-facts` : undefined}
        autoComplete="off"
        spellCheck={false}
        placeholder="Search models"
        value={typed ?? current?.target ?? value ?? ""}
        onChange={(event) => {
          setTyped(event.target.value);
          show(0);
        }}
        onClick={() => show(at)}
        onKeyDown={press}
        onBlur={close}
      />
      {current && (
        <p id={`${id}-facts`} className="ownkey-quiet">
          <Facts model={current} />
        </p>
      )}
      <div
        ref={list}
        id={`${id}-list`}
        role="listbox"
        aria-label={label}
        hidden={!open || shown.length === 0}
        className="ownkey-list"
        onMouseDown={(event) => event.preventDefault()}
      >
        {shown.map((model, index) => (
          // The field keeps the focus; which one Enter takes, it is told by.
          // biome-ignore lint/a11y/useKeyWithClickEvents: the field has them
          // biome-ignore lint/a11y/useFocusableInteractive: the same
          <div
            key={model.target}
            role="option"
            id={`${id}-${index}`}
            aria-selected={index === at}
            onClick={() => choose(model)}
          >
            <strong>{model.name}</strong> <span>{model.providerName}</span> <Facts model={model} />
          </div>
        ))}
      </div>
      <p className="ownkey-hidden" role="status">
        {open ? `${all.length.toLocaleString("en-US")} found` : ""}
      </p>
      {open && all.length === 0 && models.length > 0 && <p className="ownkey-quiet">No model is called so.</p>}
      {open && all.length > MOST && (
        <p className="ownkey-quiet">The first {MOST} are shown. Type more of the name for the others.</p>
      )}
    </div>
  );
}

function Facts({ model }: { model: Model }) {
  const facts = [contextSays(model), priceSays(model)].filter(Boolean).join(" · ");
  return (
    <span className="ownkey-facts">
      {facts}
      {model.functions && <Badge says="Functions" />}
      {model.vision && <Badge says="Vision" />}
    </span>
  );
}

/** With a blank before it, which is read out. */
function Badge({ says }: { says: string }) {
  return (
    <>
      {" "}
      <span className="ownkey-badge">{says}</span>
    </>
  );
}
