import { cases } from "../../kernels/rotary/cases.ts";
import { testCases } from "./check_cases.ts";

testCases(cases);
