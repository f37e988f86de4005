import { cases } from "../../kernels/logits/cases.ts";
import { testCases } from "./check_cases.ts";

testCases(cases);
