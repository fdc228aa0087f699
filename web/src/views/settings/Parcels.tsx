import { Button, Checkbox, FileInput, List, PasswordInput, Stack, Text, Title } from "@mantine/core";
import { useMutation } from "@tanstack/react-query";
import { type FormEvent, useState } from "react";
import { api, type Shape, told } from "../../api/client";
import { useKeeper } from "../../app/session";
import { count } from "../../parts/figures";
import { useSay } from "../../parts/Said";
import { Empty, Failed } from "../../parts/States";

type Told = Shape<"ImportedShape">;

/** All of this Ownkey as one encrypted file, and back. */
export function Parcels() {
  if (!useKeeper()) return <Empty title="This is for who keeps this Ownkey">Ask an owner or an admin.</Empty>;
  return (
    <Stack maw={560} gap="lg">
      <Export />
      <Import />
    </Stack>
  );
}

function Export() {
  const say = useSay();
  const [passphrase, setPassphrase] = useState("");
  const [keys, setKeys] = useState(false);
  const [usage, setUsage] = useState(true);
  const exporting = useMutation({
    mutationFn: async () => {
      const file = await told(
        api.POST("/api/byok/export", { body: { passphrase, keys, usage }, parseAs: "blob" }) as Promise<{
          data?: Blob;
        }>,
      );
      save(file, "ownkey.age");
    },
    onSuccess: () => {
      setPassphrase("");
      say("The file was made. Without the passphrase nobody reads it, you neither.");
    },
  });
  const submit = (event: FormEvent) => {
    event.preventDefault();
    exporting.mutate();
  };
  return (
    <section className="card" aria-labelledby="export">
      <Title order={2} id="export" mb="sm">
        Export
      </Title>
      <form onSubmit={submit}>
        <Stack>
          <PasswordInput
            label="Passphrase of the file"
            description="The file is encrypted by it, in the format of age."
            autoComplete="new-password"
            required
            value={passphrase}
            onChange={(event) => setPassphrase(event.currentTarget.value)}
          />
          <Checkbox
            label="With my keys"
            description="Your own, and nobody else's."
            checked={keys}
            onChange={(event) => setKeys(event.currentTarget.checked)}
          />
          <Checkbox
            label="With what was used"
            checked={usage}
            onChange={(event) => setUsage(event.currentTarget.checked)}
          />
          {exporting.isError && <Failed error={exporting.error} compact />}
          <Button type="submit" w="fit-content" loading={exporting.isPending}>
            Make the file
          </Button>
        </Stack>
      </form>
    </section>
  );
}

function save(file: Blob, name: string): void {
  const address = URL.createObjectURL(file);
  const link = document.createElement("a");
  link.href = address;
  link.download = name;
  link.click();
  URL.revokeObjectURL(address);
}

function Import() {
  const [file, setFile] = useState<File | null>(null);
  const [passphrase, setPassphrase] = useState("");
  const [replace, setReplace] = useState(false);
  const importing = useMutation({
    mutationFn: async (preview: boolean) => {
      if (file === null) throw new Error("Choose a file first.");
      const body = { file: await base64(file), passphrase, preview, replace };
      return told(api.POST("/api/byok/import", { body }));
    },
    onSuccess: (told) => told.imported && setPassphrase(""),
  });
  const submit = (event: FormEvent) => {
    event.preventDefault();
    importing.mutate(true);
  };
  const found = importing.data;
  return (
    <section className="card" aria-labelledby="import">
      <Title order={2} id="import" mb="sm">
        Import
      </Title>
      <form onSubmit={submit}>
        <Stack>
          <FileInput label="File" accept=".age" required value={file} onChange={setFile} placeholder="ownkey.age" />
          <PasswordInput
            label="Its passphrase"
            autoComplete="off"
            required
            value={passphrase}
            onChange={(event) => setPassphrase(event.currentTarget.value)}
          />
          <Checkbox
            label="Replace what says something else here"
            checked={replace}
            onChange={(event) => setReplace(event.currentTarget.checked)}
          />
          {importing.isError && <Failed error={importing.error} compact />}
          {found && <Came told={found} />}
          <Button type="submit" variant={found ? "default" : "filled"} w="fit-content" loading={importing.isPending}>
            Look what is in it
          </Button>
          {found && !found.imported && found.conflicts.length === 0 && (
            <Button w="fit-content" loading={importing.isPending} onClick={() => importing.mutate(false)}>
              Import it
            </Button>
          )}
        </Stack>
      </form>
    </section>
  );
}

function Came({ told }: { told: Told }) {
  return (
    <div role="status">
      <Text fw={600}>{told.imported ? "Imported:" : "This would come in:"}</Text>
      <List size="sm">
        {told.parts.map((part) => (
          <List.Item key={part.what}>
            {part.what}: {count(part.new)} new, {count(part.same)} the same, {count(part.replaced)} replaced
          </List.Item>
        ))}
        {told.conflicts.map((one) => (
          <List.Item key={one} c="var(--bad)">
            {one}
          </List.Item>
        ))}
        {told.left.map((one) => (
          <List.Item key={one} className="quiet">
            Left out: {one}
          </List.Item>
        ))}
      </List>
    </div>
  );
}

async function base64(file: File): Promise<string> {
  const bytes = new Uint8Array(await file.arrayBuffer());
  let text = "";
  for (let at = 0; at < bytes.length; at += 8192) text += String.fromCharCode(...bytes.subarray(at, at + 8192));
  return btoa(text);
}
