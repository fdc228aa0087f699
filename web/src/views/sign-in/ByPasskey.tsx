import { Anchor, Button, Text } from "@mantine/core";
import { IconFingerprint } from "@tabler/icons-react";
import { useMutation } from "@tanstack/react-query";
import { api, told } from "../../api/client";
import { Problem } from "../../api/problem";
import { Failed } from "../../parts/States";
import type { Enter } from "./enter";

/** Passkeys are for hosts with a name (Web Authentication, section 5.1.2). */
const ADDRESS = /^[\d.]+$|:/;

export function ByPasskey({ enter }: { enter: Enter }) {
  const entering = useMutation({
    mutationFn: async () => {
      const options = await told(api.POST("/api/byok/sign-in/passkey/options"));
      const body = { credential: await shown({ ...options, allowCredentials: [...options.allowCredentials] }) };
      await enter(await told(api.POST("/api/byok/sign-in/passkey", { body })));
    },
  });
  const { hostname, port } = window.location;
  if (ADDRESS.test(hostname)) {
    if (hostname !== "127.0.0.1") return null;
    return (
      <Text size="sm" className="quiet">
        Passkeys are for a name, not for a number: to use yours,{" "}
        <Anchor href={`http://localhost:${port}/sign-in`} size="sm" underline="always">
          sign in at localhost
        </Anchor>
        .
      </Text>
    );
  }
  if (typeof window.PublicKeyCredential?.parseRequestOptionsFromJSON !== "function") return null;
  return (
    <>
      <Button
        variant="default"
        leftSection={<IconFingerprint size={18} aria-hidden />}
        loading={entering.isPending}
        onClick={() => entering.mutate()}
      >
        Use a passkey
      </Button>
      {entering.isError && <Failed error={entering.error} compact />}
    </>
  );
}

type Options = Parameters<typeof PublicKeyCredential.parseRequestOptionsFromJSON>[0];

/** The credential that the person unlocks, as the server reads it. */
async function shown(options: Options): Promise<Record<string, unknown>> {
  const publicKey = PublicKeyCredential.parseRequestOptionsFromJSON(options);
  const credential = await navigator.credentials.get({ publicKey }).catch(() => null);
  if (!(credential instanceof PublicKeyCredential)) {
    throw new Problem({ status: 400, message: "No passkey was used. Try again, or sign in otherwise." });
  }
  return { ...credential.toJSON() };
}
