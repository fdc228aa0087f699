import { Anchor, Button, Group, Stack, Text } from "@mantine/core";
import { useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { Link, useNavigate } from "react-router";
import { api, type Shape, told } from "../../api/client";
import { asProblem } from "../../api/problem";
import { useSay } from "../../parts/Said";
import { refresh, sheetOf } from "./data";
import { TomlArea } from "./TomlArea";

const BEGINNING = `id       = "acme"
name     = "Acme AI"
kind     = "cloud"
wire     = "openai-chat"
base_url = "https://api.acme.example/v1"
auth     = { header = "authorization", scheme = "Bearer" }

[[models]]
id    = "acme-large"
price = { input = "2.50", output = "10" }
`;

/** A provider by its file: looked at before it is added, with what is wrong beside its line. */
export function OwnToml() {
  const queries = useQueryClient();
  const navigate = useNavigate();
  const say = useSay();
  const [text, setText] = useState(BEGINNING);
  const [error, setError] = useState<unknown>(null);
  const [checked, setChecked] = useState<Shape<"CheckedShape"> | null>(null);
  const [busy, setBusy] = useState<"check" | "add" | null>(null);
  const change = (next: string) => {
    setText(next);
    setChecked(null);
    setError(null);
  };
  const run = async (what: "check" | "add", act: () => Promise<void>) => {
    setBusy(what);
    setError(null);
    setChecked(null);
    try {
      await act();
    } catch (problem) {
      setError(problem);
    } finally {
      setBusy(null);
    }
  };
  const check = async () => setChecked(await told(api.POST("/api/byok/providers/check", { body: { toml: text } })));
  const add = async () => {
    const added = await told(api.POST("/api/byok/providers", { body: { toml: text } }));
    await refresh(queries);
    say(`${added.name} is added, and can be used at once.`);
    await navigate(sheetOf(added.id));
  };
  return (
    <Stack gap="sm">
      <Text size="sm" className="quiet">
        Everything Ownkey knows of a provider stands in one file. This is the least of one; docs/providers.md has every
        key.
      </Text>
      <TomlArea label="TOML" value={text} change={change} problem={error === null ? null : asProblem(error)} />
      <Text role="status" size="sm">
        {checked && `✓ ${checked.provider.name} would be asked at ${checked.provider.endpoint}.`}
      </Text>
      <Group gap="xs">
        <Button loading={busy === "add"} onClick={() => void run("add", add)}>
          Add provider
        </Button>
        <Button variant="default" loading={busy === "check"} onClick={() => void run("check", check)}>
          Check it
        </Button>
        <Anchor component={Link} to="?by=form" size="sm">
          Use the form
        </Anchor>
      </Group>
    </Stack>
  );
}
