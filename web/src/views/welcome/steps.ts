import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useNavigate, useSearchParams } from "react-router";
import { api, type Shape, told } from "../../api/client";

export type Standing = Shape<"OnboardingShape">;
export type Step = Standing["step"];
type Change = Shape<"OnboardingForm">;

/** What is drawn: a step, or the demo that is no step. */
export type At = Step | "demo";

export const NAMES: Record<Step, string> = {
  welcome: "Welcome",
  privacy: "Privacy",
  mode: "Where",
  key: "First key",
  limit: "Limit",
  agreement: "Agreement",
  try: "Try it",
  more: "Go on",
  done: "Done",
};

const ONBOARDING = ["onboarding"];

export function useStanding() {
  return useQuery({ queryKey: ONBOARDING, queryFn: () => told(api.GET("/api/byok/onboarding")) });
}

/** The steps that there are for somebody: models on their own machine want neither key nor limit. */
export function stepsOf({ steps, mode, has_key }: Standing): Step[] {
  const needless = mode === "local" && !has_key ? ["done", "key", "limit"] : ["done"];
  return steps.filter((step) => !needless.includes(step));
}

/** Whether the agreement that holds now was accepted. */
export function agreed({ agreement }: Standing): boolean {
  return agreement.accepted?.version === agreement.version;
}

/** Where somebody is: where the address says, else where they were; not beyond the agreement without it. */
export function placeOf(standing: Standing, asked: string | null): At {
  if (asked === "demo") return "demo";
  const steps = stepsOf(standing);
  const kept = standing.step === "done" ? "more" : standing.step;
  const wanted = steps.find((step) => step === asked) ?? steps.find((step) => step === kept) ?? "welcome";
  const beyond = steps.indexOf(wanted) > steps.indexOf("agreement");
  return beyond && !agreed(standing) ? "agreement" : wanted;
}

export function useAt(standing: Standing): At {
  const [params] = useSearchParams();
  return placeOf(standing, params.get("at"));
}

/** Keeps where somebody is, here and on the server, and goes there; with `view` to that one. */
export function useMove() {
  const queries = useQueryClient();
  const navigate = useNavigate();
  return useMutation({
    mutationFn: async ({ change, view }: { change: Change; view?: string }) => {
      const standing = await told(api.PATCH("/api/byok/onboarding", { body: change }));
      queries.setQueryData(ONBOARDING, standing);
      await navigate(view ?? `/welcome?at=${change.step ?? standing.step}`);
    },
  });
}

/** Takes what an answer said about it for what is known. */
export function useNote(): (standing: Standing) => void {
  const queries = useQueryClient();
  return (standing) => queries.setQueryData(ONBOARDING, standing);
}
