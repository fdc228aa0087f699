import { Button, Group, Stack, Text, TextInput, Title } from "@mantine/core";
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { type FormEvent, useState } from "react";
import { api, told } from "../../api/client";
import { When } from "../../parts/Figures";
import { Answered, Failed } from "../../parts/States";
import classes from "./Settings.module.css";

/** Passkeys: added by the browser, named, removed (Web Authentication, level 3, section 5.1). */
export function Passkeys() {
  const queries = useQueryClient();
  const key = ["passkeys"];
  const [name, setName] = useState("");
  const passkeys = useQuery({ queryKey: key, queryFn: () => told(api.GET("/api/byok/sessions/current/passkeys")) });
  const renew = () => queries.invalidateQueries({ queryKey: key });
  const adding = useMutation({
    mutationFn: async () => {
      const options = await told(api.POST("/api/byok/sessions/current/passkeys/options"));
      const publicKey = PublicKeyCredential.parseCreationOptionsFromJSON(
        options as unknown as PublicKeyCredentialCreationOptionsJSON,
      );
      const made = await navigator.credentials.create({ publicKey });
      if (!(made instanceof PublicKeyCredential)) throw new Error("The browser made no passkey.");
      const credential = made.toJSON() as Record<string, unknown>;
      return api.POST("/api/byok/sessions/current/passkeys", { body: { name, credential } });
    },
    onSuccess: () => {
      setName("");
      return renew();
    },
  });
  const removing = useMutation({
    mutationFn: (id: string) => api.DELETE("/api/byok/sessions/current/passkeys/{id}", { params: { path: { id } } }),
    onSuccess: renew,
  });
  const submit = (event: FormEvent) => {
    event.preventDefault();
    adding.mutate();
  };
  return (
    <section className="card" aria-labelledby="passkeys">
      <Title order={2} id="passkeys" mb="xs">
        Passkeys
      </Title>
      <Stack>
        <Text className="quiet">Sign in by your fingerprint, face or a security key, with no password to lose.</Text>
        <Answered query={passkeys}>
          {({ passkeys: found }) => (
            <ul className={classes.lines}>
              {found.map((one) => (
                <li key={one.id}>
                  <div>
                    <Text style={{ overflowWrap: "anywhere" }}>{one.name}</Text>
                    <Text size="sm" className="quiet">
                      {one.used_at_ms ? (
                        <>
                          used <When ms={one.used_at_ms} />
                        </>
                      ) : (
                        "not used yet"
                      )}
                    </Text>
                  </div>
                  <Button
                    variant="subtle"
                    color="red"
                    size="compact-sm"
                    aria-label={`Remove ${one.name}`}
                    onClick={() => removing.mutate(one.id)}
                  >
                    Remove
                  </Button>
                </li>
              ))}
            </ul>
          )}
        </Answered>
        <form onSubmit={submit}>
          <Group align="flex-end" gap="xs">
            <TextInput
              label="Name of a new one"
              required
              maxLength={80}
              value={name}
              onChange={(event) => setName(event.currentTarget.value)}
            />
            <Button type="submit" variant="default" loading={adding.isPending}>
              Add passkey
            </Button>
          </Group>
        </form>
        {(adding.isError || removing.isError) && <Failed error={adding.error ?? removing.error} compact />}
      </Stack>
    </section>
  );
}
