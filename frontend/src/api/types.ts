// Written by frontend/api_types.py from the description of the API: change the forms there.

/** An action on disk: its cell, and the cell as it is seen from now on. */
export interface Acted {
  readonly is_repeated: boolean;
  readonly cell: number;
  readonly seen: string;
}

/** A body of something that is done once. */
export interface Action {
  readonly key: string;
}

/** What slides are chosen by. */
export interface AllSlideFacts {
  readonly slides: readonly SlideFacts[];
}

/**
 * A board: its picture in px of its own, how far that is drawn, and its cells, one column a value.
 *
 * Places are columns and rows of the board, x and y the centre of a cell in level-0 px of its slide; a label
 * of 0 is none.
 */
export interface BoardColumns {
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
  readonly slide: readonly number[];
  readonly x: readonly number[];
  readonly y: readonly number[];
  readonly before: readonly number[];
  readonly label: readonly number[];
  readonly seen: readonly string[];
}

/**
 * Whether the layout of a board can be learnt here, and how the one that is learnt stands.
 *
 * Install is the command that adds what is not installed here, null where all is; name is that of the
 * board's round, said what its process reported last.
 */
export interface BoardLearning {
  readonly install: string | null;
  readonly cells: number;
  readonly name: string;
  readonly state: "none" | "learning" | "failed";
  readonly said: string;
}

/** How it stands after a change. */
export interface BoardLearningChanged {
  readonly install: string | null;
  readonly cells: number;
  readonly name: string;
  readonly state: "none" | "learning" | "failed";
  readonly said: string;
  readonly is_repeated: boolean;
}

/** The ids of a board and of its round. */
export interface BoardOpened {
  readonly is_repeated: boolean;
  readonly board: number;
  readonly round: number;
}

/** Whether boxes were right, and the known ones: x, y, width and height in level-0 px. */
export interface BoxesFeedback {
  readonly is_right: boolean;
  readonly boxes: readonly (readonly [number, number, number, number])[];
}

/**
 * A case: its hot spot, the mm² of tissue, what I have done on it, and the results so far.
 *
 * The threshold is the round's, else that of the search that the candidates came with; null where neither
 * states one. A slide that nobody has searched has no candidates: a count of it holds only what was marked
 * by hand. Where no count can be given, it is null and the problem says why. The floor is the lowest score
 * of a candidate, null where there is none. Labels: of a mitotic figure, of an atypical one (null where the
 * study has no such class), and all that are figures.
 */
export interface Case {
  readonly threshold: number | null;
  readonly threshold_of: "round" | "search" | null;
  readonly is_searched: boolean;
  readonly search: CaseSearch | null;
  readonly window: CountWindow;
  readonly scheme: ChosenScheme | null;
  readonly hot_spot: Counted | null;
  readonly problem: string | null;
  readonly tissue_mm2: number;
  readonly floor: number | null;
  readonly mitotic_label: number;
  readonly atypical_label: number | null;
  readonly figure_labels: readonly number[];
  readonly squares: SeenSquares;
  readonly work: MyWork;
  readonly results: readonly Result[];
}

/**
 * The search that the candidates came with.
 *
 * The model and its threshold, whether scores are probabilities, when it was kept, what could not be read,
 * and the outlines of the part that was searched, null for all of the slide.
 */
export interface CaseSearch {
  readonly model: string;
  readonly threshold: number | null;
  readonly is_calibrated: boolean | null;
  readonly gaps: readonly (readonly [number, number, number, number])[];
  readonly part: readonly (readonly (readonly [number, number])[])[] | null;
}

/** Something that a rater does to a cell. */
export interface CellAction {
  readonly key: string;
  readonly kind: "create" | "label" | "move" | "delete" | "restore";
  readonly cell?: number | null;
  readonly slide?: number | null;
  readonly x?: number | null;
  readonly y?: number | null;
  readonly box?: readonly [number, number, number, number] | null;
  readonly circle?: readonly [number, number, number, number] | null;
  readonly vertices?: readonly (readonly [number, number])[] | null;
  readonly label?: number | null;
  readonly score?: number | null;
  readonly seconds?: number | null;
  readonly expected?: string | null;
}

/**
 * The cells of a slide, one column a value: centres and sizes in level-0 px, shapes as of one cell.
 *
 * A label or rater of 0 is none; raters are named by their ids. Deleted are those gone since the version
 * that was asked for; not complete is what has too many cells.
 */
export interface CellColumns {
  readonly version: number;
  readonly complete: boolean;
  readonly cell: readonly number[];
  readonly x: readonly number[];
  readonly y: readonly number[];
  readonly width: readonly number[];
  readonly height: readonly number[];
  readonly shape: readonly Shape[];
  readonly label: readonly number[];
  readonly score: readonly (number | null)[];
  readonly rater: readonly number[];
  readonly mine: readonly boolean[];
  readonly seen: readonly string[];
  readonly raters: Readonly<Record<string, string>>;
  readonly deleted: readonly number[];
}

/**
 * One cell: centre and size in level-0 px, its shape as 1 spot, 2 box, 3 circle or 4 polygon.
 *
 * The label is my own of this round, 0 where I have given none; the score is a model's.
 */
export interface CellRecord {
  readonly cell: number;
  readonly slide: number;
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
  readonly shape: Shape;
  readonly vertices: readonly (readonly [number, number])[] | null;
  readonly label: number;
  readonly score: number | null;
  readonly is_deleted: boolean;
  readonly seen: string;
  readonly others: readonly Opinion[];
}

/**
 * How sure a count is.
 *
 * The expected number of figures in the window; 95 % intervals of how many of its candidates are figures,
 * and, with the chance of sampling, of the mean in tissue that is as active. Null where the scores are no
 * probabilities, which is then the reason. What was never proposed is not covered.
 */
export interface Certainty {
  readonly expected: number | null;
  readonly interval: readonly [number, number] | null;
  readonly detector_interval: readonly [number, number] | null;
  readonly no_interval: string | null;
  readonly density: DensityOfAll | null;
  readonly scheme: Graded | null;
}

/** What is to be different about a rater. */
export interface ChangedRater {
  readonly key: string;
  readonly role?: Role | null;
  readonly is_open?: boolean | null;
}

/** What is to be different in a region. */
export interface ChangedRegion {
  readonly key: string;
  readonly expected: number;
  readonly kind?: RegionKind | null;
  readonly name?: string | null;
  readonly vertices?: readonly (readonly [number, number])[] | null;
}

/** What is to be different about a round. */
export interface ChangedRound {
  readonly key: string;
  readonly raters?: readonly number[] | null;
  readonly is_open?: boolean | null;
  readonly shows_labels?: boolean | null;
  readonly settings?: Settings | null;
}

/**
 * Tiles by the highest score that a model gave to something on them, slide by slide; glass is dropped.
 *
 * ``top`` takes the best n of each slide, ``above`` all above a threshold and a share of the others,
 * ``slides`` all tiles of n slides at random.
 */
export interface Choose {
  readonly rule: "top" | "above" | "slides";
  readonly n?: number;
  readonly threshold?: number;
  readonly share_below?: number;
  readonly seed?: number;
}

/** Names of files in the folders of the slides. */
export interface ChosenFiles {
  readonly key: string;
  readonly names: readonly string[];
}

/** The grading scheme of a round: what it counts over, and the fields that make that up, if any. */
export interface ChosenScheme {
  readonly name: string;
  readonly title: string;
  readonly area_mm2: number;
  readonly fields: FieldsSaid | null;
}

/** A class of cells; its colour is ``#rrggbb``. */
export interface ClassLabel {
  readonly id: number;
  readonly name: string;
  readonly colour: string;
}

/** The classes of the study in order, and those of the field that it lacks. */
export interface Classes {
  readonly classes: readonly StudyClass[];
  readonly suggested: readonly string[];
}

/** The classes after a change. */
export interface ClassesSet {
  readonly classes: readonly StudyClass[];
  readonly suggested: readonly string[];
  readonly is_repeated: boolean;
}

/** What somebody remarks on a cell, and when. */
export interface Comment {
  readonly cell: number;
  readonly rater: number;
  readonly rater_name: string;
  readonly text: string;
  readonly time_s: number;
}

/** A comment that is on disk; an empty text has taken the last one back. */
export interface CommentKept {
  readonly is_repeated: boolean;
  readonly cell: number;
  readonly text: string;
}

/** The comments on the cells of a slide, the oldest first. */
export interface Comments {
  readonly comments: readonly Comment[];
}

/** A cell and its place, in level-0 px. */
export interface ComparedCell {
  readonly cell: number;
  readonly slide: number;
  readonly x: number;
  readonly y: number;
}

/** Cells to which two experts gave two classes, and whether there are more. */
export interface ComparedCells {
  readonly cells: readonly ComparedCell[];
  readonly has_more: boolean;
}

/** Cells that two experts have read, on which the first two differ, and of these those not decided. */
export interface Comparison {
  readonly read_twice: number;
  readonly differ: number;
  readonly open: number;
  readonly pairs: readonly RaterPair[];
}

/** Cells whose agreed class was recorded now, had been before, and that have none. */
export interface Concluded {
  readonly is_repeated: boolean;
  readonly written: number;
  readonly unchanged: number;
  readonly open: number;
}

/** How many random tiles experts look at again, and who. */
export interface Confirm {
  readonly key: string;
  readonly name: string;
  readonly tiles?: number;
  readonly raters: readonly number[];
  readonly seed?: number;
}

/** The id of a round in which experts confirm the boxes of a crowd. */
export interface ConfirmationAsked {
  readonly is_repeated: boolean;
  readonly round: number;
}

/** A round in which experts confirm boxes: its boxes, those read, those confirmed, cells added. */
export interface Confirmed {
  readonly round_id: number;
  readonly name: string;
  readonly cells: number;
  readonly read: number;
  readonly confirmed: number;
  readonly added: number;
}

/**
 * What is counted over: a size in level-0 px, its mm², its shape, and width to height as in ``4:3``.
 *
 * Of a circle the size is that of the box around it. Fields are those that make up the area, where it was
 * stated by fields.
 */
export interface CountWindow {
  readonly width: number;
  readonly height: number;
  readonly area_mm2: number;
  readonly aspect: string;
  readonly shape: WindowShape;
  readonly fields: FieldsSaid | null;
}

/**
 * A count: figures in a window, the window as it lies on the slide in level-0 px, and its mm².
 *
 * Covered is what of it is tissue in the regions that count; figures are those of the whole slide. The note
 * holds what must be said beside the number, e.g. that a part could not be read. Atypical is how many of the
 * figures in the window are called so, by the rater, else by the model that found them; null where none is.
 * Left out is what would count but lies outside of tissue or tumour, or in an exclusion. Cells are the ids
 * of those that count in the window. Not graded says why the scheme of the round says nothing.
 */
export interface Counted {
  readonly count: number;
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
  readonly shape: WindowShape;
  readonly threshold: number | null;
  readonly area_mm2: number;
  readonly covered_mm2: number;
  readonly figures: number;
  readonly atypical: number | null;
  readonly left_out: number;
  readonly note: string;
  readonly not_graded: string | null;
  readonly certainty: Certainty;
  readonly looked_at: LookedAt;
  readonly cells: readonly number[];
}

/** Cells made of merged boxes now, those whose agreement changed, and those that too few see by now. */
export interface CrowdConcluded {
  readonly is_repeated: boolean;
  readonly cells: number;
  readonly changed: number;
  readonly withdrawn: number;
}

/**
 * One of the crowd: tiles answered, seconds for one by the server's clock, shares that were right.
 *
 * Right is what is known of a gold tile, and what the majority said of another.
 */
export interface CrowdRater {
  readonly id: number;
  readonly name: string;
  readonly answered: number;
  readonly qualification: Standing;
  readonly seconds_median: number | null;
  readonly gold_accuracy: number | null;
  readonly accuracy: number | null;
}

/** All tiles of a round, who answered, and what experts made of the boxes. */
export interface CrowdTiles {
  readonly tiles: readonly JudgedTile[];
  readonly raters: readonly CrowdRater[];
  readonly confirmations: readonly Confirmed[];
}

/** Figures and expected figures of all that was searched, and per mm² of it; the interval is of 95 %. */
export interface DensityOfAll {
  readonly figures: number;
  readonly expected: number | null;
  readonly area_mm2: number | null;
  readonly within: string;
  readonly per_mm2: number | null;
  readonly expected_per_mm2: number | null;
  readonly interval: readonly [number, number] | null;
}

/** The experts' agreement on a tumour type: cells read twice and disagreed on, kappa and alpha. */
export interface DomainAgreement {
  readonly domain: string;
  readonly cells: number;
  readonly two_reads: number;
  readonly disagreed: number;
  readonly disagreement: Interval;
  readonly kappa: Interval;
  readonly alpha: Interval;
  readonly pairs: readonly PairKappa[];
}

/** Something that is on disk, and whether it was so before this request came. */
export interface Done {
  readonly is_repeated: boolean;
}

/**
 * Something done: when, in seconds since 1970, by whom (null: noticed by the program), what, and to what.
 *
 * ``round`` is the id of a round, where it is one.
 */
export interface Event {
  readonly id: number;
  readonly time_s: number;
  readonly by: string | null;
  readonly kind: string;
  readonly subject: string;
  readonly detail: string;
  readonly round: number | null;
}

/** How far the experts agree, by tumour type and in all. */
export interface ExpertAgreement {
  readonly domains: readonly DomainAgreement[];
}

/** How far I am after a visit. */
export interface FieldVisited {
  readonly pass: number;
  readonly covered: readonly boolean[];
  readonly seconds: readonly number[];
  readonly field: number | null;
  readonly position: unknown;
  readonly covered_fraction: number;
  readonly is_complete: boolean;
  readonly is_repeated: boolean;
}

/** Microscope fields: how many, and the diameter of one in mm. */
export interface Fields {
  readonly number: number;
  readonly diameter_mm: number;
}

/** Microscope fields that make up an area: how many, and the diameter of one in mm. */
export interface FieldsSaid {
  readonly number: number;
  readonly diameter_mm: number;
}

/**
 * An annotation file: its content in base64, and what it does not say itself.
 *
 * Labels say which class a name of the file stands for, ``ignore`` to leave its cells out.
 */
export interface FileBody {
  readonly name: string;
  readonly content: string;
  readonly format?: string | null;
  readonly slide?: string | null;
  readonly rater?: string | null;
  readonly mpp?: number | null;
  readonly labels?: Readonly<Record<string, string>>;
}

/** A format: its name, a line on it, suffix, whether it is written, and whether a file holds one slide. */
export interface FileFormat {
  readonly name: string;
  readonly title: string;
  readonly suffix: string;
  readonly is_written: boolean;
  readonly one_slide: boolean;
}

/** All formats that are read. */
export interface FileFormats {
  readonly formats: readonly FileFormat[];
}

/** A file that is to be read into the study; cells within so many µm of one of the study are that cell. */
export interface FileImport {
  readonly key: string;
  readonly name: string;
  readonly content: string;
  readonly format?: string | null;
  readonly slide?: string | null;
  readonly rater?: string | null;
  readonly mpp?: number | null;
  readonly labels?: Readonly<Record<string, string>>;
  readonly join_within_um?: number | null;
}

/** A slide of a file, and whether the study has it. */
export interface FileSlide {
  readonly name: string;
  readonly is_known: boolean;
}

/** What a model found on a slide, above which score it calls it a figure, and what it could not read. */
export interface Found {
  readonly slide: number;
  readonly x: readonly number[];
  readonly y: readonly number[];
  readonly score: readonly number[];
  readonly threshold?: number | null;
  readonly gaps?: readonly Gap[];
}

/** A file in the folders of the slides that is no slide of the study yet, its folder and its bytes. */
export interface FoundFile {
  readonly name: string;
  readonly folder: string;
  readonly bytes: number;
}

/** Files that may become slides, and the folder that uploads go to. */
export interface FoundFiles {
  readonly files: readonly FoundFile[];
  readonly upload_folder: string;
}

/** A signed result with what was signed, and the head of the study's chain that holds it. */
export interface FullResult {
  readonly count: number;
  readonly threshold: number | null;
  readonly window: WindowBox;
  readonly area_mm2: number;
  readonly candidates: number;
  readonly accepted: number;
  readonly rejected: number;
  readonly comment: string;
  readonly note: string;
  readonly shape: WindowShape;
  readonly window_name: string;
  readonly is_searched: boolean;
  readonly looked_at: LookedAt | null;
  readonly id: number;
  readonly slide: number;
  readonly round: number;
  readonly rater_name: string;
  readonly time_s: number;
  readonly replaces: number | null;
  readonly replaced_by: number | null;
  readonly report: string;
  readonly manifest: string;
  readonly content: SignedContent;
  readonly chain: string;
}

/** A part of a slide that could not be read, in level-0 px. */
export interface Gap {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

/** How many gold tiles with and without figures are drawn from what is settled in the study. */
export interface GoldFromLabels {
  readonly positive: number;
  readonly negative: number;
  readonly seed?: number;
}

/** The id of a tile whose known answer was stated, or taken back. */
export interface GoldSet {
  readonly is_repeated: boolean;
  readonly tile: number;
  readonly is_gold: boolean;
}

/** A tile whose answer is known. */
export interface GoldTile {
  readonly slide: number;
  readonly x: number;
  readonly y: number;
  readonly boxes?: readonly (readonly [number, number, number, number])[] | null;
  readonly answer?: boolean | null;
}

/**
 * What a grading scheme makes of a count: an aid, not a grade.
 *
 * Its bands are counts with both ends included, null for no end; the band of the count and the probability
 * of each are null where the window is too small, or scores are no probabilities: then a reason says so.
 */
export interface Graded {
  readonly name: string;
  readonly title: string;
  readonly area_mm2: number;
  readonly bands: Readonly<Record<string, readonly (number | null)[]>>;
  readonly band_of_count: string | null;
  readonly grades: Readonly<Record<string, number>> | null;
  readonly grades_of_a_second_window: Readonly<Record<string, number>> | null;
  readonly reason: string | null;
  readonly note: string;
  readonly source: string;
  readonly read: string;
  readonly aid: string;
}

/**
 * A review of cells that searches take for figures against their label.
 *
 * Scored are the labelled cells to which a search gave a score, cells those in the review; without any there
 * is no review and no round.
 */
export interface HardExamplesAsked {
  readonly is_repeated: boolean;
  readonly rounds: readonly number[];
  readonly cells: number;
  readonly scored: number;
}

/** The usual resolution in µm/px next to that which nuclei suggest, and the range it may lie in. */
export interface HintByNuclei {
  readonly mpp: number;
  readonly low: number;
  readonly high: number;
}

/** What an import brought. Known are cells that the study had, joined those taken for one of the study. */
export interface Imported {
  readonly is_repeated: boolean;
  readonly slides: number;
  readonly cells: number;
  readonly known: number;
  readonly joined: number;
  readonly labels: number;
  readonly regions: number;
  readonly quarantined: number;
}

/**
 * How many files are yet to be looked at, of how many, and those that are no slides of the study.
 *
 * Whether the synthetic slide, a sample to try things on, is there; the suffixes of files that can be sent.
 */
export interface IntakeState {
  readonly waiting: number;
  readonly of: number;
  readonly refused: readonly RefusedFile[];
  readonly sample: "none" | "being drawn" | "there" | "failed";
  readonly suffixes: readonly string[];
}

/** A region of interest that was placed. */
export interface InterestPlaced {
  readonly is_repeated: boolean;
  readonly interest: InterestRecord;
}

/**
 * A region of interest: upper left corner and size in level-0 px; the mm² are null without an mpp.
 *
 * Its pixels lie at the address ``tiff``. What is mine to take away a rater has placed; a lead may take all.
 */
export interface InterestRecord {
  readonly id: number;
  readonly name: string;
  readonly slide: number;
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
  readonly area_mm2: number | null;
  readonly is_mine: boolean;
  readonly tiff: string;
}

/** The regions of interest of a slide. */
export interface Interests {
  readonly interests: readonly InterestRecord[];
}

/** A measure with its 95 % interval; null where it could not be computed. */
export interface Interval {
  readonly value: number | null;
  readonly low: number | null;
  readonly high: number | null;
}

/**
 * A tile with what the qualified said: merged boxes with their agreement, and how many saw a figure.
 *
 * The score is the share of yes, null without an answer, or the sum of the boxes' agreement; whether the
 * tile holds a figure is null while too few have answered.
 */
export interface JudgedTile {
  readonly id: number;
  readonly slide: number;
  readonly x: number;
  readonly y: number;
  readonly side: number;
  readonly is_gold: boolean;
  readonly gold_has_figure: boolean | null;
  readonly reviewers: number;
  readonly boxes: readonly (readonly [number, number, number, number, number])[];
  readonly yes: number;
  readonly score: number | null;
  readonly holds_figure: boolean | null;
}

/** A window that a rater keeps by a name: its upper left corner and what is counted over. */
export interface KeptWindow {
  readonly threshold?: number | null;
  readonly area_mm2?: number | null;
  readonly fields?: Fields | null;
  readonly aspect?: string | null;
  readonly shape?: WindowShape | null;
  readonly name: string;
  readonly x: number;
  readonly y: number;
}

/** A window that was kept, with the size that it has on the slide in level-0 px. */
export interface KeptWindowSaid {
  readonly name: string;
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
  readonly threshold: number | null;
  readonly area_mm2: number | null;
  readonly fields: FieldsSaid | null;
  readonly aspect: string | null;
  readonly shape: WindowShape | null;
}

/** The known answer of a tile: boxes, or yes or no; neither takes it back. */
export interface KnownAnswer {
  readonly key: string;
  readonly boxes?: readonly (readonly [number, number, number, number])[] | null;
  readonly answer?: boolean | null;
}

/** The cells that I labelled last, the newest first. */
export interface LastCells {
  readonly cells: readonly CellRecord[];
}

/** The name of a board of all cells, and who works on it. */
export interface LearntBoard {
  readonly key: string;
  readonly name: string;
  readonly raters?: readonly number[];
}

/** A rater who may come in from now on, and the link, which is shown once. */
export interface LetInByLink {
  readonly is_repeated: boolean;
  readonly id: number;
  readonly link: string;
}

/**
 * A slide: its tags, the cells that I have labelled of those that wait for me, the last signed count.
 *
 * The count is null where none is signed, or where I may not see it yet.
 */
export interface ListedSlide {
  readonly id: number;
  readonly tags: readonly string[];
  readonly labelled: number;
  readonly cells: number;
  readonly count: number | null;
}

/**
 * What of a window was looked at.
 *
 * Candidates that count there or were judged; how many of them were judged or shown one by one; how many
 * of them are undecided; figures that no model proposed; and the mm² that were shown at 10× or more.
 */
export interface LookedAt {
  readonly candidates: number;
  readonly looked: number;
  readonly unsure: number;
  readonly added: number;
  readonly seen_mm2: number;
}

/**
 * What I have looked at since the last time: candidates and squares are added to those before.
 *
 * Unsure are candidates that I leave undecided, sure ones that I no longer do; windows replace those kept.
 */
export interface Looks {
  readonly key: string;
  readonly looked?: readonly number[];
  readonly unsure?: readonly number[];
  readonly sure?: readonly number[];
  readonly seen?: readonly number[];
  readonly windows?: readonly KeptWindow[] | null;
}

/** Who I am, the study with its classes and slides, and my rounds. */
export interface Me {
  readonly rater: Myself;
  readonly study: StudyName;
  readonly labels: readonly ClassLabel[];
  readonly slides: readonly Slide[];
  readonly rounds: readonly Round[];
}

/** A model that slides can be searched with; title holds its version. */
export interface ModelOffered {
  readonly name: string;
  readonly title: string;
  readonly points: readonly PointOfModel[];
  readonly default_point: string;
}

/** What I have done on a case: candidates looked at and undecided, squares seen, windows kept. */
export interface MyWork {
  readonly looked: readonly number[];
  readonly unsure: readonly number[];
  readonly seen: readonly number[];
  readonly windows: readonly KeptWindowSaid[];
}

/** The rater who asks. */
export interface Myself {
  readonly id: number;
  readonly name: string;
  readonly kind: RaterKind;
  readonly role: Role;
}

/** Cells and where they lie in two dimensions, in any unit. */
export interface NewBoard {
  readonly key: string;
  readonly name: string;
  readonly raters?: readonly number[];
  readonly cells: readonly number[];
  readonly x: readonly number[];
  readonly y: readonly number[];
  readonly cell_px?: number;
}

/** Classes to be told apart from now on, by their names: of the field or of the study's own. */
export interface NewClasses {
  readonly key: string;
  readonly names: readonly string[];
}

/** A remark on a cell; an empty one takes back what I have remarked before. */
export interface NewComment {
  readonly key: string;
  readonly cell: number;
  readonly text: string;
}

/** The name of the review, the score above which a cell is read again, and who reads. */
export interface NewHardExamples {
  readonly key: string;
  readonly name: string;
  readonly threshold?: number;
  readonly raters?: readonly number[];
}

/** A region of interest: its upper left corner, area and form. */
export interface NewInterest {
  readonly key: string;
  readonly name?: string | null;
  readonly x: number;
  readonly y: number;
  readonly area_mm2?: number;
  readonly aspect?: string;
}

/** A new link; the old one no longer opens. */
export interface NewLink {
  readonly is_repeated: boolean;
  readonly link: string;
}

/** A class name of a file that is not known, and how many cells bear it. */
export interface NewName {
  readonly name: string;
  readonly cells: number;
}

/** Somebody who is to work on the study. */
export interface NewRater {
  readonly key: string;
  readonly name: string;
  readonly kind?: "expert" | "crowd";
  readonly role?: Role;
}

/** A region to be drawn. */
export interface NewRegion {
  readonly key: string;
  readonly kind: RegionKind;
  readonly name?: string | null;
  readonly vertices: readonly (readonly [number, number])[];
}

/**
 * Detections to be reviewed, as columns or as the text of a CSV of one slide.
 *
 * The manifest that `mitoscope detect` writes beside the CSV states threshold and gaps. Candidates are put
 * before the raters that lie above the threshold of their search, unless another is stated.
 */
export interface NewReview {
  readonly key: string;
  readonly name: string;
  readonly model: string;
  readonly bins?: number;
  readonly threshold?: number | null;
  readonly raters?: readonly number[];
  readonly detections?: readonly Found[];
  readonly csv?: string | null;
  readonly manifest?: string | null;
  readonly slide?: number | null;
}

/** Slides whose candidates are to be read; without a threshold each has that of its search. */
export interface NewReviewOfSearched {
  readonly key: string;
  readonly name: string;
  readonly slides: readonly number[];
  readonly threshold?: number | null;
  readonly bins?: number;
  readonly raters?: readonly number[];
}

/** Work to be done. */
export interface NewRound {
  readonly key: string;
  readonly name: string;
  readonly kind: RoundKind;
  readonly slides?: readonly number[] | null;
  readonly raters?: readonly number[];
  readonly cells?: "all" | "disputed" | "added" | readonly number[];
  readonly is_blinded?: boolean | null;
  readonly shows_labels?: boolean | null;
  readonly shows_cells?: "own" | "all" | null;
  readonly settings?: Settings;
}

/** Slides to be searched, by a model at one of its operating points; null is the default one. */
export interface NewSearch {
  readonly key: string;
  readonly slides: readonly number[];
  readonly model: string;
  readonly point?: string | null;
}

/** The tags that a slide is to have. */
export interface NewTags {
  readonly key: string;
  readonly tags: readonly string[];
}

/** Tiles for the crowd. */
export interface NewTiles {
  readonly key: string;
  readonly tiles?: readonly TilePlace[];
  readonly gold?: readonly GoldTile[];
  readonly propose?: Propose | null;
  readonly choose?: Choose | null;
  readonly choice?: string | null;
  readonly gold_from_labels?: GoldFromLabels | null;
  readonly side?: number;
}

/** A slide that is to be sent: its file's name, bytes, and time of change in ms since 1970. */
export interface NewUpload {
  readonly key: string;
  readonly name: string;
  readonly bytes: number;
  readonly changed_ms?: number;
}

/** A version to be frozen: its name, by which policy cells have a class, and how it was made. */
export interface NewVersion {
  readonly key: string;
  readonly variant: string;
  readonly policy?: Policy;
  readonly licence?: string | null;
  readonly note?: string;
}

/** What concerns me and was not put away yet, the newest first. */
export interface News {
  readonly events: readonly Event[];
}

/** The next tile to be looked at, null where none is left for me, and how I stand. */
export interface NextTile {
  readonly tile: ShownTile | null;
  readonly answered: number;
  readonly of: number;
  readonly qualification: Standing;
}

/** What somebody else said of a cell, and when, in seconds since 1970. */
export interface Opinion {
  readonly rater: number;
  readonly rater_name: string;
  readonly label: number;
  readonly round_name: string;
  readonly time_s: number | null;
}

/** Whose labels were turned by whom: the cells, of how many decided on, and their share in [0, 1]. */
export interface Overruled {
  readonly overruled: string;
  readonly by: string;
  readonly cells: number;
  readonly decided: number;
  readonly share: number;
}

/** Who overruled whom. */
export interface Overrules {
  readonly rows: readonly Overruled[];
}

/** Two raters, the cells that both have labelled, and Cohen's kappa. */
export interface PairKappa {
  readonly raters: readonly [string, string];
  readonly cells: number;
  readonly kappa: Interval;
}

/** How far I am in the pass that was begun. */
export interface PassBegun {
  readonly pass: number;
  readonly covered: readonly boolean[];
  readonly seconds: readonly number[];
  readonly field: number | null;
  readonly position: unknown;
  readonly covered_fraction: number;
  readonly is_complete: boolean;
  readonly fields: readonly (readonly [number, number, number, number])[];
  readonly is_repeated: boolean;
}

/** All raters of the study; the address at which others reach this server, as stated, and as found. */
export interface People {
  readonly raters: readonly Person[];
  readonly address: string | null;
  readonly addresses: readonly string[];
}

/** A rater: labels given, and the last event in seconds since 1970; without a role nobody comes in. */
export interface Person {
  readonly id: number;
  readonly name: string;
  readonly kind: RaterKind;
  readonly role: Role | null;
  readonly is_open: boolean;
  readonly has_link: boolean;
  readonly labels: number;
  readonly last_s: number | null;
}

/** What is counted over, and the window's upper left corner where it is not that of the hot spot. */
export interface Placed {
  readonly threshold?: number | null;
  readonly area_mm2?: number | null;
  readonly fields?: Fields | null;
  readonly aspect?: string | null;
  readonly shape?: WindowShape | null;
  readonly corner?: readonly [number, number] | null;
}

/** An operating point: its name, the threshold, by what it was chosen and on which data. */
export interface PointOfModel {
  readonly name: string;
  readonly threshold: number;
  readonly criterion: string;
  readonly chosen_on: string;
}

/** How the labels of a cell become one. */
export type Policy = "settled" | "unanimous" | "consensus" | "majority" | "crowd" | "recorded";

/** The rule of the study from now on. */
export interface PolicySet {
  readonly is_repeated: boolean;
  readonly policy: Policy;
}

/** Where a rater is in a round, in words of the page. */
export interface Position {
  readonly key: string;
  readonly position: unknown;
}

/**
 * What a file would bring. Where names are unknown, they must be mapped first and the rest is empty.
 *
 * Ignored are cells left out by the mapping, set aside those that cannot be taken, of which the first are
 * listed.
 */
export interface Preview {
  readonly format: string | null;
  readonly slides: readonly FileSlide[];
  readonly names: readonly ReadName[];
  readonly unknown: readonly NewName[];
  readonly classes: readonly string[];
  readonly cells: number;
  readonly regions: number;
  readonly ignored: number;
  readonly set_aside: number;
  readonly entries: readonly SetAside[];
  readonly notes: readonly string[];
}

/** An answer that says no, as the page reads it; some have more to tell. */
export interface Problem {
  readonly error: string;
  readonly mend: string | null;
  readonly code: string;
}

/** Tiles to be laid over the tissue of a slide. */
export interface Propose {
  readonly slide: number;
  readonly n: number;
}

/** Centres in level-0 px of what the first stage proposes so far, and its scores; the surest ones. */
export interface ProposedSoFar {
  readonly x: readonly number[];
  readonly y: readonly number[];
  readonly score: readonly number[];
}

/** The next cells without my label, and how many of the round I have labelled. */
export interface Queue {
  readonly cells: readonly CellRecord[];
  readonly labelled: number;
  readonly of: number;
}

/** The queue after a change. */
export interface QueueChanged {
  readonly is_repeated: boolean;
  readonly searches: readonly SlideSearch[];
}

/**
 * A rater in a task: tiles or cells, seconds for one by the server's clock, and shares that were right.
 *
 * On gold tiles right is what is known of them; else what the majority said. Null where nothing is known.
 */
export interface RaterAtTask {
  readonly task: string;
  readonly kind: RoundKind;
  readonly rater: string;
  readonly state: string;
  readonly pieces: number;
  readonly timed: number;
  readonly seconds_mean: number | null;
  readonly seconds_median: number | null;
  readonly gold: number;
  readonly gold_accuracy: number | null;
  readonly compared: number;
  readonly accuracy: number | null;
}

/** Who speaks. */
export type RaterKind = "expert" | "crowd" | "model" | "consensus";

/**
 * Two experts: cells that both have read, Cohen's kappa, and cells by the class of the one and the other.
 *
 * Rows and columns of the counts are ``labels``, the ids of classes; kappa is null where it is not defined.
 */
export interface RaterPair {
  readonly one: number;
  readonly one_name: string;
  readonly other: number;
  readonly other_name: string;
  readonly cells: number;
  readonly agreed: number;
  readonly kappa: number | null;
  readonly labels: readonly number[];
  readonly counts: readonly (readonly number[])[];
}

/**
 * A rater's work in a round: units done of how many, null without an end, and slides completed.
 *
 * An estimate expects as many fields on slides that are not begun as on those that are. ``seconds`` is the
 * rater's mean time a unit lately, by the server's clock, ``left_s`` what the rest takes at that pace,
 * ``last_s`` the time of the last work, in seconds since 1970; null where nothing is known.
 */
export interface RaterWork {
  readonly round: number;
  readonly rater: number;
  readonly rater_name: string;
  readonly unit: WorkUnit;
  readonly done: number;
  readonly of: number | null;
  readonly is_estimate: boolean;
  readonly is_complete: boolean;
  readonly slides_done: number;
  readonly slides_of: number;
  readonly seconds: number | null;
  readonly left_s: number | null;
  readonly last_s: number | null;
}

/** A class name of a file, and the class of the study that it is read as; ``ignore`` leaves cells out. */
export interface ReadName {
  readonly name: string;
  readonly read_as: string;
}

/** The cells that have another class on a board than before. */
export interface Reclassed {
  readonly cells: readonly ReclassedCell[];
}

/** A cell whose label was another before, 0 for none; its centre in level-0 px. */
export interface ReclassedCell {
  readonly cell: number;
  readonly before: number;
  readonly now: number;
  readonly slide: number;
  readonly x: number;
  readonly y: number;
}

/** A file that was not taken into the study, and what to do about it. */
export interface RefusedFile {
  readonly name: string;
  readonly reason: string;
  readonly mend: string | null;
}

/**
 * A region: vertices in level-0 px, not closed; its area in mm², what was seen of it, and whose it is.
 *
 * What is mine to change a rater has drawn; a lead may change all.
 */
export interface Region {
  readonly id: number;
  readonly is_mine: boolean;
  readonly kind: RegionKind;
  readonly name: string;
  readonly vertices: readonly (readonly [number, number])[];
  readonly area_mm2: number | null;
  readonly seen: number;
}

/** A region that is gone, and the mm² of tumour without exclusions since. */
export interface RegionDeleted {
  readonly is_repeated: boolean;
  readonly region: null;
  readonly area_mm2: number | null;
}

/** What an outline on a slide delimits. */
export type RegionKind = "tumour" | "exclusion" | "region of interest";

/** A region that was drawn, changed or restored, and the mm² of tumour without exclusions since. */
export interface RegionSet {
  readonly is_repeated: boolean;
  readonly region: Region;
  readonly area_mm2: number | null;
}

/** The regions of a slide, and the mm² of tumour without exclusions; null where the mpp is not known. */
export interface Regions {
  readonly regions: readonly Region[];
  readonly area_mm2: number | null;
}

/** Another name of a class. */
export interface RenamedClass {
  readonly key: string;
  readonly name: string;
}

/** The µm a level-0 pixel of a slide whose file does not state it. */
export interface Resolution {
  readonly key: string;
  readonly mpp: number;
}

/** A slide with its resolution from now on. */
export interface ResolutionSet {
  readonly is_repeated: boolean;
  readonly slide: Slide;
}

/**
 * A signed result without its cells: who signed it and when, in seconds since 1970, and where it lies.
 *
 * A result that corrects another one names it; the one that none replaces is current.
 */
export interface Result {
  readonly count: number;
  readonly threshold: number | null;
  readonly window: WindowBox;
  readonly area_mm2: number;
  readonly candidates: number;
  readonly accepted: number;
  readonly rejected: number;
  readonly comment: string;
  readonly note: string;
  readonly shape: WindowShape;
  readonly window_name: string;
  readonly is_searched: boolean;
  readonly looked_at: LookedAt | null;
  readonly id: number;
  readonly slide: number;
  readonly round: number;
  readonly rater_name: string;
  readonly time_s: number;
  readonly replaces: number | null;
  readonly replaced_by: number | null;
  readonly report: string;
  readonly manifest: string;
}

/** Signed results, the newest first. */
export interface Results {
  readonly results: readonly Result[];
}

/**
 * A review over candidates of searches: its rounds, its cells, and those left out.
 *
 * Below are those whose score is not above the threshold, known those that somebody has labelled or another
 * review asks of.
 */
export interface ReviewOfSearched {
  readonly is_repeated: boolean;
  readonly rounds: readonly number[];
  readonly cells: number;
  readonly below: number;
  readonly known: number;
}

/**
 * The ids of the rounds of a review, its new cells, and the detections that are no new candidate.
 *
 * These are not above the threshold, or at known cells; it is null where slides differ in it.
 */
export interface ReviewOpened {
  readonly is_repeated: boolean;
  readonly rounds: readonly number[];
  readonly cells: number;
  readonly below: number;
  readonly known: number;
  readonly threshold: number | null;
}

/** How far a review is; ``read`` counts the cells that each expert has read, by name. */
export interface ReviewProgress {
  readonly name: string;
  readonly cells: number;
  readonly read: Readonly<Record<string, number>>;
  readonly waiting: number;
  readonly disputed: number;
  readonly undecided: number;
  readonly next_step: "two experts read" | "a third expert decides" | "conclude it" | "done";
}

/**
 * A review and the ids of its rounds: the first reading is one, or several by score.
 *
 * ``note`` says what was left out when it was opened.
 */
export interface ReviewRounds {
  readonly name: string;
  readonly kind: RoundKind;
  readonly first: readonly number[];
  readonly second: number | null;
  readonly third: number | null;
  readonly outcome: number | null;
  readonly proposals: number | null;
  readonly note: string;
}

/** What somebody may do. */
export type Role = "lead" | "rater";

/**
 * A round: its terms, how many cells I have labelled of how many, and where I was in it.
 *
 * A position is what the page has put there, or null.
 */
export interface Round {
  readonly id: number;
  readonly name: string;
  readonly kind: RoundKind;
  readonly is_blinded: boolean;
  readonly is_open: boolean;
  readonly slides: readonly number[];
  readonly shows_labels: boolean;
  readonly shows_cells: "own" | "all";
  readonly speaks_as: "rater" | "consensus";
  readonly review: string | null;
  readonly bin: number | null;
  readonly bins: number | null;
  readonly board: number | null;
  readonly labelled: number;
  readonly cells: number;
  readonly position: unknown;
  readonly settings: RoundSettings;
}

/** In which part of the work a label was given (CCMCT, CMC and MIDOG++, section Methods). */
export type RoundKind = "unstated" | "screening" | "second read" | "consensus" | "third expert" | "candidate review" | "board review" | "crowd boxes" | "crowd tiles" | "case review";

/** A round that was opened or changed. */
export interface RoundSet {
  readonly id: number;
  readonly name: string;
  readonly kind: RoundKind;
  readonly is_blinded: boolean;
  readonly is_open: boolean;
  readonly slides: readonly number[];
  readonly shows_labels: boolean;
  readonly shows_cells: "own" | "all";
  readonly speaks_as: "rater" | "consensus";
  readonly review: string | null;
  readonly bin: number | null;
  readonly bins: number | null;
  readonly board: number | null;
  readonly labelled: number;
  readonly cells: number;
  readonly position: unknown;
  readonly settings: RoundSettings;
  readonly raters: readonly number[];
  readonly is_repeated: boolean;
}

/** What was stated of the work: fields in µm, areas in mm², scores and shares in [0, 1]. */
export interface RoundSettings {
  readonly field_um?: readonly [number, number];
  readonly threshold?: number;
  readonly area_mm2?: number;
  readonly aspect?: string;
  readonly shape?: WindowShape;
  readonly scheme?: string;
  readonly field_diameter_mm?: number;
  readonly minimum_reviewers?: number;
  readonly box_rule?: "two" | "majority";
  readonly may_add?: boolean;
  readonly confirms?: number;
  readonly gold_needed?: number;
  readonly pass_mark?: number;
}

/** Who is how far on which slide of a round. */
export interface RoundWork {
  readonly unit: WorkUnit;
  readonly rows: readonly SlideWork[];
}

/**
 * What a grading scheme counts over: in words, the diameter of its fields in mm, and its bands there.
 *
 * The diameter is null where it goes by an area, or its source states none.
 */
export interface SchemeOver {
  readonly text: string;
  readonly diameter_mm: number | null;
  readonly needs_diameter: boolean;
  readonly bands: Readonly<Record<string, string>>;
}

/** A grading scheme as its source states it. */
export interface SchemeSaid {
  readonly name: string;
  readonly title: string;
  readonly note: string;
  readonly source: string;
  readonly over: readonly SchemeOver[];
}

/** The grading schemes that a study can choose from; an aid, not a grade. */
export interface Schemes {
  readonly schemes: readonly SchemeSaid[];
  readonly aid: string;
}

/** The fields of a slide in order, as x, y, width and height in level-0 px, and how far I am. */
export interface Screening {
  readonly pass: number;
  readonly covered: readonly boolean[];
  readonly seconds: readonly number[];
  readonly field: number | null;
  readonly position: unknown;
  readonly covered_fraction: number;
  readonly is_complete: boolean;
  readonly fields: readonly (readonly [number, number, number, number])[];
}

/** What becomes of the searches of some slides. */
export interface SearchChange {
  readonly key: string;
  readonly slides: readonly number[];
  readonly change: "pause" | "resume" | "cancel";
}

/** Where a search stands. */
export type SearchState = "waiting" | "running" | "paused" | "done" | "failed";

/** The models there are, and all searches in the order of the queue. */
export interface Searches {
  readonly models: readonly ModelOffered[];
  readonly searches: readonly SlideSearch[];
}

/** Who reads the re-classed cells, without the board. */
export interface Second {
  readonly key: string;
  readonly raters: readonly number[];
}

/** The id of the round in which the re-classed cells are read again, and how many they are. */
export interface SecondAsked {
  readonly is_repeated: boolean;
  readonly round: number;
  readonly cells: number;
}

/** Up to which of the news all is put away. */
export interface Seen {
  readonly key: string;
  readonly upto: number;
}

/** A region as it was seen. */
export interface SeenRegion {
  readonly key: string;
  readonly expected: number;
}

/** Squares by which it is kept what was seen: their sides in level-0 px, and how many are in a row. */
export interface SeenSquares {
  readonly width: number;
  readonly height: number;
  readonly columns: number;
}

/** An entry that cannot be taken: its place in the file, the slide, and why. */
export interface SetAside {
  readonly where: string;
  readonly slide: string;
  readonly why: string;
}

/** What a kind of round needs to know. */
export interface Settings {
  readonly field_um?: readonly [number, number] | null;
  readonly threshold?: number | null;
  readonly area_mm2?: number | null;
  readonly aspect?: string | null;
  readonly shape?: WindowShape | null;
  readonly scheme?: string | null;
  readonly field_diameter_mm?: number | null;
  readonly minimum_reviewers?: number | null;
  readonly box_rule?: "two" | "majority" | null;
  readonly may_add?: boolean | null;
  readonly gold_needed?: number | null;
  readonly pass_mark?: number | null;
}

/** What a rule settled, and how many cells two experts dispute without a third. */
export interface Settled {
  readonly is_repeated: boolean;
  readonly written: number;
  readonly unchanged: number;
  readonly open: number;
  readonly disputed: number;
}

/** By which rule the labels of a cell become one. */
export interface Settlement {
  readonly key: string;
  readonly policy: Policy;
}

/** The geometry of a cell; its bounds and vertices are in px0. */
export type Shape = 1 | 2 | 3 | 4;

/** A tile: its upper left corner and side in level-0 px. */
export interface ShownTile {
  readonly id: number;
  readonly slide: number;
  readonly x: number;
  readonly y: number;
  readonly side: number;
}

/**
 * A mitotic count, as the pathologist saw it, with what has to be stated beside it.
 *
 * How many candidates in the window were not looked at; whether the slide was not searched; and the number
 * of my own result that this one corrects.
 */
export interface Signature {
  readonly key: string;
  readonly threshold?: number | null;
  readonly area_mm2?: number | null;
  readonly fields?: Fields | null;
  readonly aspect?: string | null;
  readonly shape?: WindowShape | null;
  readonly x: number;
  readonly y: number;
  readonly count: number;
  readonly comment?: string;
  readonly window_name?: string | null;
  readonly not_looked_at?: number;
  readonly is_not_searched?: boolean;
  readonly replaces?: number | null;
}

/** A result that was signed. */
export interface Signed {
  readonly is_repeated: boolean;
  readonly result: Result;
}

/**
 * A cell under a result: its centre in level-0 px, a model's score, and what the rater made of it.
 *
 * Older results do not say whether it was looked at and left undecided, nor what was remarked.
 */
export interface SignedCell {
  readonly x: number;
  readonly y: number;
  readonly score: number | null;
  readonly verdict: -1 | 0 | 1;
  readonly is_counted: boolean;
  readonly is_looked_at?: boolean;
  readonly is_unsure?: boolean;
  readonly comment?: string;
}

/**
 * A result as it was signed, with all that it rests on.
 *
 * The area that was asked for and its aspect, the mm² of tissue in the window, the figures of the whole
 * slide, the slide and its file, the last event (for the lead alone), cells, regions, what could not be
 * read: x, y, width and height in level-0 px; and how sure the count is, the search, and the result that
 * it replaces, which older results do not state.
 */
export interface SignedContent {
  readonly count: number;
  readonly threshold: number | null;
  readonly window: WindowBox;
  readonly area_mm2: number;
  readonly candidates: number;
  readonly accepted: number;
  readonly rejected: number;
  readonly comment: string;
  readonly note: string;
  readonly shape: WindowShape;
  readonly window_name: string;
  readonly is_searched: boolean;
  readonly looked_at: LookedAt | null;
  readonly requested_mm2: number;
  readonly aspect: string;
  readonly covered_mm2: number;
  readonly figures: number;
  readonly slide: string;
  readonly fingerprint: string;
  readonly version?: number;
  readonly cells: readonly SignedCell[];
  readonly regions: readonly SignedRegion[];
  readonly gaps: readonly (readonly [number, number, number, number])[];
  readonly certainty?: Certainty;
  readonly atypical?: number | null;
  readonly left_out?: number;
  readonly fields?: FieldsSaid | null;
  readonly search?: CaseSearch | null;
  readonly threshold_of?: "round" | "search" | null;
  readonly replaces?: number | null;
}

/** An outline that was drawn when a result was signed: its vertices in level-0 px. */
export interface SignedRegion {
  readonly kind: RegionKind;
  readonly name: string;
  readonly vertices: readonly (readonly [number, number])[];
}

/**
 * A slide: size in level-0 px, mpp in µm a px, tiles in px; null where nobody has said it.
 *
 * The hints are the mpp that the objective and the size of nuclei suggest, where the file states none.
 */
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
  readonly state: "ok" | "missing" | "rejected" | "unscaled";
  readonly reason: string | null;
  readonly mend: string | null;
  readonly hint_mpp: number | null;
  readonly hint_by_nuclei: HintByNuclei | null;
}

/** What a slide is chosen by; the split is that of the newest version that splits, else null. */
export interface SlideFacts {
  readonly id: number;
  readonly tags: readonly string[];
  readonly has_candidates: boolean;
  readonly is_labelled: boolean;
  readonly split: string | null;
}

/** The slides of my rounds; of a lead all. */
export interface SlideList {
  readonly slides: readonly ListedSlide[];
}

/** The search of a slide: mm² of tissue done and in all, seconds to go, and what it gave. */
export interface SlideSearch {
  readonly slide: number;
  readonly model: string;
  readonly point: string | null;
  readonly state: SearchState;
  readonly reason: string;
  readonly done_mm2: number;
  readonly of_mm2: number;
  readonly eta_s: number | null;
  readonly candidates: number | null;
  readonly figures: number | null;
}

/** A rater's work on a slide: units done, of how many; null where nobody knows yet, or there is no end. */
export interface SlideWork {
  readonly rater: number;
  readonly rater_name: string;
  readonly slide: number;
  readonly done: number;
  readonly of: number | null;
}

/** A round, and the ids of those who work in it. */
export interface StaffedRound {
  readonly id: number;
  readonly name: string;
  readonly kind: RoundKind;
  readonly is_blinded: boolean;
  readonly is_open: boolean;
  readonly slides: readonly number[];
  readonly shows_labels: boolean;
  readonly shows_cells: "own" | "all";
  readonly speaks_as: "rater" | "consensus";
  readonly review: string | null;
  readonly bin: number | null;
  readonly bins: number | null;
  readonly board: number | null;
  readonly labelled: number;
  readonly cells: number;
  readonly position: unknown;
  readonly settings: RoundSettings;
  readonly raters: readonly number[];
}

/** All rounds of the study, and which of them belong together as a review. */
export interface StaffedRounds {
  readonly rounds: readonly StaffedRound[];
  readonly reviews: readonly ReviewRounds[];
}

/** How a rater stands: gold tiles answered of those needed, the share that was right, and the mark. */
export interface Standing {
  readonly state: "testing" | "qualified" | "failed";
  readonly done: number;
  readonly needed: number;
  readonly score: number;
  readonly pass_mark: number;
}

/** A class of the study; its colour is ``#rrggbb``. Those of the field keep their names. */
export interface StudyClass {
  readonly id: number;
  readonly name: string;
  readonly colour: string;
  readonly is_own: boolean;
}

/** What is in a study; ``agreed`` counts its cells by agreed class under the policy. */
export interface StudyFigures {
  readonly name: string;
  readonly policy: Policy;
  readonly cells: number;
  readonly deleted: number;
  readonly events: number;
  readonly disputed: number;
  readonly agreed: Readonly<Record<string, number>>;
  readonly slides: readonly StudySlide[];
  readonly raters: readonly StudyRater[];
}

/** The study, and the rule by which it tells the agreed class. */
export interface StudyName {
  readonly name: string;
  readonly uuid: string;
  readonly policy: Policy;
}

/** By which rule the figures tell the agreed class. */
export interface StudyPolicy {
  readonly key: string;
  readonly policy: Policy;
}

/** A rater: the labels given, and the cells that they are about. */
export interface StudyRater {
  readonly name: string;
  readonly kind: RaterKind;
  readonly labels: number;
  readonly cells: number;
}

/** A slide: the mm² of its tumour, null where none is known, its cells, and these by agreed class. */
export interface StudySlide {
  readonly id: number;
  readonly name: string;
  readonly area_mm2: number | null;
  readonly cells: number;
  readonly agreed: Readonly<Record<string, number>>;
}

/** The tags of a slide from now on, in order. */
export interface TagsSet {
  readonly is_repeated: boolean;
  readonly tags: readonly string[];
}

/** A task: Fleiss' kappa of so many answers to each of so many tiles or cells, and means over raters. */
export interface TaskOfRaters {
  readonly task: string;
  readonly kind: RoundKind;
  readonly raters: number;
  readonly pieces: number;
  readonly kappa: Interval;
  readonly kappa_raters: number;
  readonly kappa_pieces: number;
  readonly seconds_mean: number | null;
  readonly accuracy: number | null;
}

/** Who decides where two differ. */
export interface Third {
  readonly key: string;
  readonly raters: readonly number[];
  readonly shows_labels?: boolean;
}

/** The id of a third expert's round, null where nothing is disputed, and how many cells are new in it. */
export interface ThirdAsked {
  readonly is_repeated: boolean;
  readonly round: number | null;
  readonly cells: number;
}

/** What I see on a tile: boxes, or yes or no. */
export interface TileAnswerBody {
  readonly key: string;
  readonly boxes?: readonly (readonly [number, number, number, number])[] | null;
  readonly answer?: boolean | null;
  readonly seconds?: number | null;
}

/** The id of a tile that was answered, how I stand, and how I did where the test goes on. */
export interface TileAnswered {
  readonly is_repeated: boolean;
  readonly tile: number;
  readonly qualification: Standing;
  readonly feedback: BoxesFeedback | YesNoFeedback | null;
}

/** Where a tile lies. */
export interface TilePlace {
  readonly slide: number;
  readonly x: number;
  readonly y: number;
}

/** How many tiles are new, how many of all are gold, and how many were left out: glass, or cut. */
export interface TilesAdded {
  readonly is_repeated: boolean;
  readonly tiles: number;
  readonly gold: number;
  readonly left_out: number;
}

/**
 * Where a slide has tissue: its area in mm², a mask, and the level-0 px a pixel of it in x and y.
 *
 * The rows of the mask are packed bits, each row a whole number of bytes, in base64.
 */
export interface Tissue {
  readonly mm2: number;
  readonly width: number;
  readonly height: number;
  readonly px0_per_pixel: readonly [number, number];
  readonly rows: string;
}

/** Who did what, the newest first, and whether there is more. */
export interface Trail {
  readonly events: readonly Event[];
  readonly has_more: boolean;
}

/** An upload: its number, the name that its file gets, and how many bytes of it are there. */
export interface UploadState {
  readonly is_repeated: boolean;
  readonly upload: string;
  readonly name: string;
  readonly received: number;
  readonly piece_bytes: number;
}

/** A frozen version: cells by class, its policy and hash, when it was frozen, and how it was made. */
export interface Version {
  readonly name: string;
  readonly variant: string;
  readonly number: number;
  readonly frozen: string;
  readonly policy: Policy;
  readonly cells: Readonly<Record<string, number>>;
  readonly slides: number;
  readonly sha256: string;
  readonly note: string;
}

/** From one version to another: cells gained, lost and re-classed by class, moved, and on which slides. */
export interface VersionDifference {
  readonly before: string;
  readonly after: string;
  readonly gained: Readonly<Record<string, number>>;
  readonly lost: Readonly<Record<string, number>>;
  readonly reclassed: Readonly<Record<string, number>>;
  readonly moved: number;
  readonly slides: readonly string[];
}

/** A version that was frozen; where nothing has changed since the last one, that one. */
export interface VersionFrozen {
  readonly is_repeated: boolean;
  readonly version: Version;
}

/** The versions frozen here, the first one first. */
export interface Versions {
  readonly versions: readonly Version[];
}

/** A field that I am at; whether I have looked it through, or not after all, or null to leave that. */
export interface Visit {
  readonly key: string;
  readonly field: number;
  readonly is_covered?: boolean | null;
  readonly seconds?: number;
  readonly position?: unknown;
}

/** Where a window lies, in level-0 px. */
export interface WindowBox {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

/** What a window looks like; a square is a rectangle of aspect 1:1. */
export type WindowShape = "rectangle" | "circle";

/** Tasks and who worked in them; longer pauses than ``break_s`` seconds are not counted as work. */
export interface Work {
  readonly tasks: readonly TaskOfRaters[];
  readonly raters: readonly RaterAtTask[];
  readonly break_s: number;
}

/** What I have done on a case, as it is on disk. */
export interface WorkKept {
  readonly looked: readonly number[];
  readonly unsure: readonly number[];
  readonly seen: readonly number[];
  readonly windows: readonly KeptWindowSaid[];
  readonly is_repeated: boolean;
}

/** Who is how far in which round. */
export interface WorkProgress {
  readonly rows: readonly RaterWork[];
}

/** What the work of a round is counted in. */
export type WorkUnit = "cells" | "fields" | "tiles" | "slides";

/** Whether a yes or no was right, and the known answer. */
export interface YesNoFeedback {
  readonly is_right: boolean;
  readonly answer: boolean;
}
