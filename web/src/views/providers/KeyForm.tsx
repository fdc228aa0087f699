import { Anchor, Button, Collapse, Group, PasswordInput, Stack, Text } from "@mantine/core";
import { useQueryClient } from "@tanstack/react-query";
import { type FormEvent, useEffect, useRef, useState } from "react";
import { api, type Shape, told } from "../../api/client";
import { asProblem, Problem } from "../../api/problem";
import { useKeeper } from "../../app/session";
import { Failed } from "../../parts/States";
import { type Provider, refresh } from "./data";
import { Fields, givenFields, lacking } from "./Fields";
import { type Doubt, doubtOf } from "./shape";
import { NO_TERMS, Terms, type TermsGiven, termsOf } from "./Terms";

type Stored = Shape<"StoredShape">;

/** A key typed, asked about and kept in one step. What is typed stands in its field alone, which is gone once it was
 * kept. With a `label`, the key takes the place of the one that is called so. */
export function KeyForm({
  provider,
  others = [],
  label,
  saved,
  cancel,
}: {
  provider: Provider;
  /** The other providers: by how their keys begin, a key in the wrong place is told. */
  others?: readonly Provider[];
  label?: string;
  saved: (stored: Stored) => void;
  cancel?: () => void;
}) {
  const field = useRef<HTMLInputElement>(null);
  const queries = useQueryClient();
  const keeper = useKeeper();
  const [doubt, setDoubt] = useState<Doubt | null>(null);
  const [terms, setTerms] = useState<TermsGiven>(NO_TERMS);
  const [more, setMore] = useState(false);
  const [values, setValues] = useState<Record<string, string>>({});
  const [error, setError] = useState<unknown>(null);
  const [busy, setBusy] = useState(false);
  const wanted = label === undefined && provider.keys === 0 ? provider.fields_wanted : [];
  const wants = lacking(wanted, values);
  const look = () => setDoubt(doubtOf(field.current?.value ?? "", provider, others));
  const submit = (event: FormEvent) => {
    event.preventDefault();
    void save(false);
  };
  const save = async (force: boolean) => {
    setBusy(true);
    setError(null);
    try {
      const path = { provider: provider.id };
      const fields = givenFields(wanted, values);
      if (Object.keys(fields).length > 0) {
        await told(api.PATCH("/api/byok/providers/{provider}", { params: { path }, body: { fields } }));
      }
      const stored = await told(
        api.PUT("/api/byok/keys/{provider}", {
          params: { path },
          body: {
            key: field.current?.value ?? "",
            check: true,
            force,
            ...(label === undefined ? { label: "default", ...termsOf(terms) } : { label }),
          },
        }),
      );
      if (field.current) field.current.value = "";
      saved(stored);
      void knowModels(provider.id).finally(() => refresh(queries));
    } catch (problem) {
      setError(forPage(problem));
      setBusy(false);
      field.current?.focus();
    }
  };
  return (
    <form onSubmit={submit} autoComplete="off" aria-label={`A key for ${provider.name}`}>
      <Stack gap="sm">
        {wanted.length > 0 && (
          <Fields wanted={wanted} values={values} change={setValues} disabled={!keeper} error={error} />
        )}
        <KeyField field={field} provider={provider} doubt={doubt} look={look} />
        {label === undefined && (
          <>
            <div>
              <Button variant="subtle" size="compact-sm" aria-expanded={more} onClick={() => setMore(!more)} px={4}>
                Label, expiry, models, limit
              </Button>
            </div>
            <Collapse expanded={more}>
              <Terms terms={terms} change={setTerms} error={error} />
            </Collapse>
          </>
        )}
        {busy && <Asking host={hostOf(provider)} />}
        {error !== null && <Failed error={error} compact />}
        <Group gap="xs">
          <Button type="submit" loading={busy} disabled={wants !== null && !keeper}>
            Test and save
          </Button>
          {error !== null && doubt?.mere && (
            <Button variant="default" onClick={() => void save(true)} disabled={busy}>
              Test it all the same
            </Button>
          )}
          {cancel && (
            <Button variant="default" onClick={cancel}>
              Cancel
            </Button>
          )}
          {wants !== null && !keeper && (
            <Text size="sm" className="quiet">
              Who keeps this Ownkey has to set “{wants}” first.
            </Text>
          )}
        </Group>
      </Stack>
    </form>
  );
}

function KeyField({
  field,
  provider,
  doubt,
  look,
}: {
  field: React.RefObject<HTMLInputElement | null>;
  provider: Provider;
  doubt: Doubt | null;
  look: () => void;
}) {
  const [visible, setVisible] = useState(false);
  return (
    <div>
      <PasswordInput
        ref={field}
        label="API key"
        aria-label="API key"
        description={provider.begins ? `${provider.name}'s keys begin with ${provider.begins}` : undefined}
        error={doubt?.says}
        onChange={look}
        onPaste={() => window.setTimeout(look)}
        visible={visible}
        onVisibilityChange={setVisible}
        visibilityToggleButtonProps={{
          "aria-label": visible ? "Hide the key" : "Show the key",
          "aria-hidden": false,
          tabIndex: 0,
        }}
        autoComplete="off"
        spellCheck={false}
        autoCapitalize="off"
        data-1p-ignore
        data-lpignore="true"
        data-autofocus
        required
        withAsterisk={false}
        maxLength={8_000}
      />
      {provider.key_page && (
        <Anchor
          href={provider.key_page}
          target="_blank"
          rel="noopener noreferrer"
          size="sm"
          mt={4}
          display="inline-block"
        >
          Where do I find this?
        </Anchor>
      )}
    </div>
  );
}

/** With what became of the key. */
function forPage(error: unknown): Problem {
  const problem = asProblem(error);
  const { said } = problem;
  const message = said.includes("Nothing was") ? said : `${said} Nothing was saved.`;
  return new Problem({ ...problem, message, notice: undefined, action: undefined, retryAfterS: undefined });
}

/** What is being done, and for how long; the seconds are for eyes alone. */
function Asking({ host }: { host: string }) {
  const [since] = useState(() => performance.now());
  const [now, setNow] = useState(since);
  useEffect(() => {
    const timer = window.setInterval(() => setNow(performance.now()), 100);
    return () => window.clearInterval(timer);
  }, []);
  return (
    <Text size="sm" role="status">
      Asking {host} whether it takes the key…{" "}
      <span aria-hidden className="figures">
        {((now - since) / 1000).toFixed(1)} s
      </span>
    </Text>
  );
}

/** The provider's address, with what was filled in. */
export function hostOf(provider: Provider): string {
  const filled = provider.endpoint.replace(/\{(\w+)\}/g, (whole, name) => provider.fields[name] ?? whole);
  return URL.canParse(filled) ? new URL(filled).host : provider.name;
}

/** A key that was taken opens models: they are asked for, and where that fails it is said elsewhere. */
async function knowModels(provider: string): Promise<void> {
  await api.POST("/api/byok/models/refresh", { body: { provider } }).catch((error) => asProblem(error));
}
