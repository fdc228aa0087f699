import { Anchor, Button, Group, PasswordInput, Stack, Text, TextInput } from "@mantine/core";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { type FormEvent, useRef, useState } from "react";
import { api, type Shape, told } from "../../api/client";
import { asProblem } from "../../api/problem";
import { Failed } from "../../parts/States";
import { addFromGallery } from "../providers/data";
import { oddityOf, type Place } from "./places";

type Stored = Shape<"StoredShape">;

const ASKED = { label: "default", check: true };

/** One key for one provider: tested, and stored where its provider takes it. */
export function KeyForm({ place, saved }: { place: Place; saved: (stored: Stored) => void }) {
  const queries = useQueryClient();
  const [key, setKey] = useState("");
  const [fields, setFields] = useState<Record<string, string>>({});
  const input = useRef<HTMLInputElement>(null);
  const saving = useMutation({
    mutationFn: async ({ force }: { force: boolean }) => {
      if (!place.added) await addFromGallery(queries, place.id);
      const named = { params: { path: { provider: place.id } } };
      if (place.wanted.length > 0)
        await told(api.PATCH("/api/byok/providers/{provider}", { ...named, body: { fields } }));
      return await told(api.PUT("/api/byok/keys/{provider}", { ...named, body: { key: key.trim(), force, ...ASKED } }));
    },
    onSuccess: async (stored) => {
      setKey("");
      await queries.invalidateQueries();
      saved(stored);
    },
  });
  const oddity = oddityOf(place, key);
  const reenter = () => {
    setKey("");
    saving.reset();
    input.current?.focus();
  };
  const submit = (event: FormEvent) => {
    event.preventDefault();
    if (key.trim() !== "") saving.mutate({ force: false });
  };
  const shapeless = saving.isError && asProblem(saving.error).status === 422 && oddity !== null;
  return (
    <form onSubmit={submit}>
      <Stack gap="sm">
        {place.wanted.map((field) => (
          <TextInput
            key={field.name}
            label={field.name}
            description={field.help}
            required
            value={fields[field.name] ?? ""}
            onChange={(event) => setFields({ ...fields, [field.name]: event.currentTarget.value })}
          />
        ))}
        <PasswordInput
          ref={input}
          label={`Your ${place.name} key`}
          description={place.begins.length > 1 ? `It begins with ${place.begins}` : undefined}
          required
          withAsterisk={false}
          autoComplete="off"
          spellCheck={false}
          value={key}
          disabled={saving.isPending}
          onChange={(event) => setKey(event.currentTarget.value)}
          visibilityToggleButtonProps={{ "aria-label": "Show the key", tabIndex: 0, size: 24 }}
        />
        <Text size="sm" role="status" c="var(--warn)" mih={20}>
          {saving.isPending ? "" : oddity}
        </Text>
        {place.keyPage && (
          <Anchor href={place.keyPage} target="_blank" rel="noopener noreferrer" size="sm">
            Where do I find this?<span className="hidden"> At {place.name}, in a new tab.</span>
          </Anchor>
        )}
        {saving.isError && (
          <Failed error={saving.error} retry={() => saving.mutate({ force: false })} acts={{ reenter_key: reenter }}>
            Nothing was saved, and nothing was charged.
          </Failed>
        )}
        <Group>
          <Button type="submit" loading={saving.isPending} disabled={key.trim() === ""}>
            Test and save
          </Button>
          {shapeless && (
            <Button variant="default" onClick={() => saving.mutate({ force: true })}>
              It is right: test and save it
            </Button>
          )}
          <Text size="sm" role="status" className="quiet">
            {saving.isPending && `Asking ${place.host} for its models…`}
          </Text>
        </Group>
      </Stack>
    </form>
  );
}
