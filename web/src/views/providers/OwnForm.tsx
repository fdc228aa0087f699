import { Button, Group, NativeSelect, Stack, Switch, Text, Textarea, TextInput } from "@mantine/core";
import { useQueryClient } from "@tanstack/react-query";
import { type FormEvent, useState } from "react";
import { Link, useNavigate } from "react-router";
import { api, told } from "../../api/client";
import { asProblem } from "../../api/problem";
import { useSay } from "../../parts/Said";
import { Failed } from "../../parts/States";
import { refresh, sheetOf } from "./data";

const WIRES = [
  { value: "openai-chat", label: "OpenAI's chat completions" },
  { value: "openai-responses", label: "OpenAI's responses" },
  { value: "anthropic-messages", label: "Anthropic's messages" },
  { value: "gemini", label: "Gemini" },
  { value: "ollama", label: "Ollama" },
];
const NOTHING = {
  name: "",
  id: "",
  base_url: "",
  wire: "openai-chat",
  key_header: "authorization",
  key_page: "",
  models: "",
};
const PLAIN = ["name", "id", "base_url", "key_header", "key_page", "models"] as const;

/** A provider by its name and address: usable at the next request. */
export function OwnForm() {
  const queries = useQueryClient();
  const navigate = useNavigate();
  const say = useSay();
  const [given, setGiven] = useState(NOTHING);
  const [keyed, setKeyed] = useState(true);
  const [error, setError] = useState<unknown>(null);
  const [busy, setBusy] = useState(false);
  const id = given.id || idOf(given.name);
  const problem = error === null ? null : asProblem(error);
  const param = problem?.param?.replace(/^form\./, "");
  const beside = PLAIN.some((name) => name === param);
  const field = (name: keyof typeof NOTHING) => ({
    value: given[name],
    onChange: (event: { currentTarget: { value: string } }) =>
      setGiven({ ...given, [name]: event.currentTarget.value }),
    error: param === name ? problem?.said : undefined,
    autoComplete: "off",
  });
  const submit = async (event: FormEvent) => {
    event.preventDefault();
    setBusy(true);
    setError(null);
    const form = {
      id,
      name: given.name.trim(),
      base_url: given.base_url.trim(),
      wire: given.wire,
      needs_key: keyed,
      key_header: given.key_header.trim(),
      key_page: given.key_page.trim() || null,
      models: given.models.split(/\s+/).filter(Boolean),
    };
    try {
      const added = await told(api.POST("/api/byok/providers", { body: { form } }));
      await refresh(queries);
      say(`${added.name} is added, and can be used at once.`);
      await navigate(sheetOf(added.id));
    } catch (found) {
      setError(found);
      setBusy(false);
    }
  };
  return (
    <form onSubmit={submit} aria-label="A provider of your own" autoComplete="off">
      <Stack gap="sm">
        <TextInput label="Name" required maxLength={100} data-autofocus {...field("name")} />
        <TextInput
          label="Id"
          description={`Its models are asked for as ${id || "id"}/model.`}
          placeholder={idOf(given.name)}
          maxLength={64}
          spellCheck={false}
          {...field("id")}
        />
        <TextInput
          label="Address"
          description="With its version, as in https://api.example.com/v1."
          type="url"
          required
          maxLength={2_000}
          spellCheck={false}
          {...field("base_url")}
        />
        <NativeSelect label="Speaks as" data={WIRES} {...field("wire")} />
        <Switch label="Needs a key" checked={keyed} onChange={(event) => setKeyed(event.currentTarget.checked)} />
        {keyed && (
          <>
            <TextInput label="Header of the key" maxLength={64} spellCheck={false} {...field("key_header")} />
            <TextInput label="Page where keys are made" type="url" maxLength={2_000} {...field("key_page")} />
          </>
        )}
        <Textarea
          label="Models"
          description="One a line. Left empty, the provider is asked for them."
          autosize
          minRows={2}
          maxRows={6}
          spellCheck={false}
          {...field("models")}
        />
        {problem && !beside && <Failed error={problem} compact />}
        <Text size="sm" className="quiet">
          It is for everybody here. Nothing is sent to it before a key was entered, or a model asked.
        </Text>
        <Group gap="xs">
          <Button type="submit" loading={busy}>
            Add provider
          </Button>
          <Button component={Link} to="?by=toml" variant="subtle">
            Write it as TOML
          </Button>
        </Group>
      </Stack>
    </form>
  );
}

/** `Acme AI` is `acme-ai`. */
function idOf(name: string): string {
  return name
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, "-")
    .replace(/^-+|-+$/g, "")
    .slice(0, 64);
}
