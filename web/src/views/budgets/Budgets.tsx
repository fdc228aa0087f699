import { Button, Stack } from "@mantine/core";
import { IconPlus } from "@tabler/icons-react";
import { useQuery } from "@tanstack/react-query";
import { Link, useParams } from "react-router";
import { api, told } from "../../api/client";
import { usePerson } from "../../app/session";
import { PageHead } from "../../parts/PageHead";
import { Answered, Empty, Waiting } from "../../parts/States";
import type { Budget } from "./amount";
import { BudgetCard } from "./BudgetCard";
import { BudgetSheet } from "./BudgetSheet";
import { Limits } from "./Limits";
import { useNamed } from "./named";

/** What is spent of each limit, and how many requests a minute there may be. */
export default function Budgets() {
  const path = useParams()["*"] ?? "";
  const viewer = usePerson().role === "viewer";
  const named = useNamed();
  const budgets = useQuery({ queryKey: ["budgets"], queryFn: () => told(api.GET("/api/byok/budgets")) });
  const [first = "", second] = path.split("/");
  const add = viewer ? null : (
    <Button component={Link} to="/budgets/new" leftSection={<IconPlus size={16} aria-hidden />}>
      Add budget
    </Button>
  );
  return (
    <>
      <PageHead
        title="Budgets"
        says="A limit is never passed: what a run can cost at most is set aside before it is sent."
        action={add}
      />
      <Answered query={budgets} waiting={<Waiting rows={3} height={96} />}>
        {({ budgets: all }) => (
          <>
            {all.length === 0 ? (
              <Empty title="There is no limit yet" action={add}>
                A budget says how much may be spent in a day or a month: in all, or with one provider, model, person,
                token or automation.
              </Empty>
            ) : (
              <Stack gap="sm" component="section" aria-label="Budgets">
                {[...all].sort(fuller).map((budget) => (
                  <BudgetCard key={budget.id} budget={budget} named={named} />
                ))}
              </Stack>
            )}
            {first !== "" && first !== "limits" && (
              <BudgetSheet
                key={first}
                budget={all.find((one) => one.id === first) ?? null}
                wanted={first}
                named={named}
              />
            )}
          </>
        )}
      </Answered>
      <Limits wanted={first === "limits" ? (second ?? null) : null} named={named} />
    </>
  );
}

function fuller(one: Budget, other: Budget): number {
  return share(other) - share(one) || one.name.localeCompare(other.name);
}

function share(budget: Budget): number {
  return budget.limit ? (budget.spent + budget.pending) / budget.limit : budget.limit === 0 ? 1 : 0;
}
