/** Says how a board comes into the study: its layout is learnt, which takes a machine some time. */
export function NewBoard() {
  return (
    <section class="aside">
      <h2>A similarity board</h2>
      <p>
        It lays alike cells side by side, so that the one among others is seen. On the machine with the study and the slides; then give the round its raters
        here.
      </p>
      <code class="command">mitoscope curate board STUDY --slides DIR --out board --review NAME</code>
    </section>
  );
}
