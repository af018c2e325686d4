import { Refusal } from "../api/errors";
import { Empty } from "../ui/panel";

/** The refusal to a lead who reads blinded, null where an error is another one. */
export function blindedBy(error: unknown): Refusal | null {
  return error instanceof Refusal && error.code === "blinded" ? error : null;
}

/** What stands in place of what a lead may not see while reading blinded. */
export function NotWhileBlinded({ what, refusal }: { what: string; refusal: Refusal }) {
  return (
    <Empty title="Not while you read blinded yourself.">
      <p>
        {what}; {refusal.mend}.
      </p>
    </Empty>
  );
}
