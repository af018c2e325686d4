/** What the server tells; coordinates in level-0 pixels, times in seconds since 1970. */

export interface Label {
  readonly id: number;
  readonly name: string;
  readonly colour: string;
}

export interface Slide {
  readonly id: number;
  readonly name: string;
  readonly case: string | null;
  readonly width: number | null;
  readonly height: number | null;
  readonly mpp: number | null;
  readonly mpp_x: number | null;
  readonly mpp_y: number | null;
  readonly tile_size: number;
  readonly max_level: number | null;
  readonly state: "ok" | "missing" | "rejected";
  readonly reason: string | null;
  readonly mend: string | null;
}

export type RoundKind =
  | "screening"
  | "second read"
  | "consensus"
  | "third expert"
  | "candidate review"
  | "board review"
  | "crowd boxes"
  | "crowd tiles"
  | "case review"
  | "unstated";

export interface Round {
  readonly id: number;
  readonly name: string;
  readonly kind: RoundKind;
  readonly is_blinded: boolean;
  readonly is_open: boolean;
  readonly slides: readonly number[];
  readonly shows_labels: boolean;
  readonly speaks_as: "rater" | "consensus";
  readonly review: string | null;
  readonly bin: number | null;
  readonly bins: number | null;
  readonly board: number | null;
  readonly labelled: number;
  readonly cells: number;
  readonly position: Record<string, unknown> | null;
  readonly settings: Record<string, unknown>;
  readonly raters?: readonly number[];
}

export interface Me {
  readonly rater: { readonly id: number; readonly name: string; readonly kind: string; readonly role: "lead" | "rater" };
  readonly study: { readonly name: string; readonly uuid: string; readonly policy: string };
  readonly labels: readonly Label[];
  readonly slides: readonly Slide[];
  readonly rounds: readonly Round[];
  /** Number of the last event. */
  readonly version: number;
}

export interface CellColumns {
  readonly version: number;
  readonly complete: boolean;
  readonly cell: readonly number[];
  readonly x: readonly number[];
  readonly y: readonly number[];
  readonly label: readonly number[];
  readonly score: readonly (number | null)[];
  readonly rater: readonly number[];
  readonly seen: readonly string[];
  readonly mine: readonly boolean[];
  readonly raters: Readonly<Record<string, string>>;
  readonly deleted: readonly number[];
}

export interface Opinion {
  readonly rater_name: string;
  readonly label: number;
  readonly round_name: string;
  readonly time_s: number | null;
}

export interface CellRecord {
  readonly cell: number;
  readonly slide: number;
  readonly x: number;
  readonly y: number;
  /** My own of this round; 0 where I have given none. */
  readonly label: number;
  readonly score: number | null;
  readonly is_deleted: boolean;
  readonly seen: string;
  readonly others: readonly Opinion[];
}

export interface Queue {
  readonly cells: readonly CellRecord[];
  readonly labelled: number;
  readonly of: number;
}

export interface Acknowledgement {
  readonly cell: number;
  readonly seen: string;
}

export type BoxList = readonly [x: number, y: number, width: number, height: number];

export interface Screening {
  readonly pass: number;
  readonly fields: readonly BoxList[];
  readonly covered: readonly boolean[];
  readonly field: number | null;
  readonly covered_fraction: number;
  readonly is_complete: boolean;
}

export interface Region {
  readonly id: number;
  readonly kind: "tumour" | "exclusion";
  readonly name: string;
  readonly vertices: readonly (readonly [number, number])[];
  readonly area_mm2: number | null;
  /** Number of its last change. */
  readonly seen: number;
}

export interface Interest {
  readonly id: number;
  readonly name: string;
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
  readonly area_mm2: number | null;
  readonly rater_name: string;
  readonly tiff: string;
}

export interface Result {
  readonly id: number;
  readonly rater_name: string;
  readonly time_s: number;
  readonly count: number;
  readonly threshold: number;
  readonly area_mm2: number;
  readonly comment: string;
  readonly report: string;
}

export interface Case {
  readonly threshold: number;
  readonly window: { readonly width: number; readonly height: number; readonly area_mm2: number; readonly aspect: string };
  readonly hot_spot: { readonly x: number; readonly y: number; readonly count: number };
  readonly tissue_mm2: number;
  readonly floor: number | null;
  readonly mitotic_label: number;
  readonly results: readonly Result[];
}

export interface Qualification {
  readonly state: "testing" | "qualified" | "failed";
  readonly done: number;
  readonly needed: number;
  /** Share that was right; 0 where none is answered yet. */
  readonly score: number;
  readonly pass_mark: number;
}

export interface NextTile {
  readonly tile: { readonly id: number; readonly slide: number; readonly x: number; readonly y: number; readonly side: number } | null;
  readonly answered: number;
  readonly of: number;
  readonly qualification: Qualification;
}

export interface TileAnswer {
  readonly qualification: Qualification;
  readonly feedback: { readonly is_right: boolean; readonly boxes?: readonly BoxList[]; readonly answer?: boolean } | null;
}

export interface Board {
  readonly id: number;
  readonly name: string;
  readonly round: number;
  readonly columns: number;
  readonly rows: number;
  readonly cell_px: number;
  readonly width: number;
  readonly height: number;
  readonly max_level: number;
  readonly tile_size: number;
  readonly state: "drawing" | "ready" | "failed";
  readonly done: number;
  readonly of: number;
  readonly reason: string | null;
  readonly cell: readonly number[];
  readonly column: readonly number[];
  readonly row: readonly number[];
  readonly label: readonly number[];
  readonly before: readonly number[];
  readonly seen: readonly string[];
}

export interface Person {
  readonly id: number;
  readonly name: string;
  readonly kind: string;
  /** Null for those who never come in. */
  readonly role: "lead" | "rater" | null;
  readonly is_open: boolean;
  readonly has_link: boolean;
  readonly labels: number;
  readonly last_s: number | null;
}
