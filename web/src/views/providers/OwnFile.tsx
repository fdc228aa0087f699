import { Button, Group, Stack, Text, Title } from "@mantine/core";
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { useNavigate } from "react-router";
import { api, told } from "../../api/client";
import { asProblem } from "../../api/problem";
import { Ask } from "../../parts/Ask";
import { useSay } from "../../parts/Said";
import { Answered, Failed } from "../../parts/States";
import { HOME, type Provider, refresh } from "./data";
import { usedBy, useUses } from "./KeyList";
import { TomlArea } from "./TomlArea";

/** The file of one that was added: edited, and taken out. */
export function OwnFile({ provider }: { provider: Provider }) {
  const [open, setOpen] = useState<"edit" | "remove" | null>(null);
  const text = useText(provider.id, open !== null);
  return (
    <section aria-labelledby="file">
      <Title order={2} id="file" mb="xs">
        Its file
      </Title>
      <Text size="sm" className="quiet" mb="xs">
        {provider.name} was added here. A change is used at the next request.
      </Text>
      {open === "edit" ? (
        <Answered query={text}>
          {(toml) => <Edit provider={provider} toml={toml} close={() => setOpen(null)} />}
        </Answered>
      ) : (
        <Group gap="xs">
          <Button variant="default" size="xs" onClick={() => setOpen("edit")}>
            Edit as TOML
          </Button>
          <Button variant="default" size="xs" c="var(--bad)" onClick={() => setOpen("remove")}>
            Remove {provider.name}
          </Button>
        </Group>
      )}
      {open === "remove" && <Remove provider={provider} toml={text.data} close={() => setOpen(null)} />}
    </section>
  );
}

function useText(provider: string, enabled: boolean) {
  return useQuery({
    queryKey: ["providers", "toml", provider],
    queryFn: async () =>
      (await told(api.GET("/api/byok/providers/{provider}/toml", { params: { path: { provider } } }))).toml,
    enabled,
    staleTime: 0,
  });
}

function Edit({ provider, toml, close }: { provider: Provider; toml: string; close: () => void }) {
  const queries = useQueryClient();
  const say = useSay();
  const [text, setText] = useState(toml);
  const [error, setError] = useState<unknown>(null);
  const [busy, setBusy] = useState(false);
  const save = async () => {
    setBusy(true);
    setError(null);
    try {
      const path = { provider: provider.id };
      await told(api.PUT("/api/byok/providers/{provider}/toml", { params: { path }, body: { toml: text } }));
      await refresh(queries);
      say(`${provider.name}'s file is saved, and used from now on.`);
      close();
    } catch (problem) {
      setError(problem);
      setBusy(false);
    }
  };
  return (
    <Stack gap="sm">
      <TomlArea label="TOML" value={text} change={setText} problem={error === null ? null : asProblem(error)} />
      <Group gap="xs">
        <Button loading={busy} onClick={() => void save()} disabled={text === toml}>
          Save file
        </Button>
        <Button variant="default" onClick={close}>
          Cancel
        </Button>
      </Group>
    </Stack>
  );
}

function Remove({ provider, toml, close }: { provider: Provider; toml: string | undefined; close: () => void }) {
  const queries = useQueryClient();
  const navigate = useNavigate();
  const say = useSay();
  const uses = useUses(provider.id);
  const path = { provider: provider.id };
  const back = async (text: string) => {
    try {
      await told(api.POST("/api/byok/providers", { body: { toml: text } }));
      say(`${provider.name} is back, as it was.`);
    } catch (error) {
      say(`${provider.name} did not come back. ${asProblem(error).said}`);
    }
    await refresh(queries);
  };
  const remove = async () => {
    await api.DELETE("/api/byok/providers/{provider}", { params: { path } });
    await navigate(HOME);
    say({ text: `${provider.name} is removed.`, undo: toml === undefined ? undefined : () => void back(toml) });
    await refresh(queries);
  };
  return (
    <Ask title={`Remove ${provider.name}?`} verb={`Remove ${provider.name}`} danger act={remove} close={close}>
      {uses.isError ? <Failed error={uses.error} compact /> : <Goes provider={provider} uses={uses.data} />}
    </Ask>
  );
}

function Goes({ provider, uses }: { provider: Provider; uses: ReturnType<typeof useUses>["data"] }) {
  const named = usedBy(uses);
  const others = uses?.others_keys ?? 0;
  return (
    <>
      {named ? `${named} ask it, and fail without it.` : "Nothing asks it by name."}
      {provider.keys > 0 && " Your keys stay stored, for nobody, until you remove them."}
      {others > 0 && ` ${others === 1 ? "A key of another person is" : `${others} keys of others are`} for it too.`}
    </>
  );
}
